"""Several sweeps at once into one folder: no record is lost, and a table counts a seed once."""

from collections import Counter
from pathlib import Path

import pytest

from results import RunStore, read_records, summarize
from tests.command_line import CPU, PLAN, Running

TINY = "examples/tiny_net.py:TinyNet"
SIZE = ("--budget", "10steps", "--seeds", "3", "--set", "validation_fraction=0.01")


@pytest.mark.slow
def test_three_sweeps_at_once_share_a_folder(data_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    rest = (*SIZE, *PLAN, *CPU, "--out", out, "--resume")
    sweeps = [
        Running.start(data_root, tmp_path, "run", "--models", model, *rest)
        for model in ("v0", "v0", TINY)
    ]
    ended = [sweep.end() for sweep in sweeps]
    assert [done.returncode for done in ended] == [0, 0, 0], [done.stderr for done in ended]
    said: list[str] = []
    records = read_records(out, say=said.append)
    runs = Counter((record.spec["model"], record.spec["seed"]) for record in records)
    assert set(runs) == {(model, seed) for model in ("v0", TINY) for seed in range(3)}
    assert all(runs[TINY, seed] == 1 for seed in range(3))
    assert {record.status for record in records} == {"ok"}
    assert {summary.n_seeds for summary in summarize(records)} == {3}
    assert all(len(summary.values("test_accuracy")) == 3 for summary in summarize(records))
    assert all(RunStore(out).load_samples(record) for record in records)
    assert said == []
    assert list(out.rglob(".*")) == []
