"""A disk that is full in the midst of a real sweep: what is measured is shown and kept."""

import tempfile
from multiprocessing import util
from pathlib import Path

import pytest

from results import RunStore
from tests.bench.sweep.mounting import mounted
from tests.command_line import CPU, PLAN, call

SWEEP = ("run", "--models", "v0", "--budget", "20steps", "--seeds", "7", *PLAN, *CPU)
FEW = ("--set", "validation_fraction=0.01")  # a curve that costs little
ROOM = "size=288k"  # what is asked for before a sweep, and the samples of some runs


@pytest.mark.slow
def test_a_sweep_on_a_full_disk_ends_with_its_table_and_loses_nothing(
    tmp_path: Path,
    data_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    util.get_temp_dir()  # of the fork server's socket, before: a path in `tmp_path` can be too long
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with mounted(tmp_path / "disk", ROOM) as disk:
        out = disk / "run"
        full = call(monkeypatch, capfd, data_root, *SWEEP, *FEW, "--out", out)
        (shelter,) = temporary.glob("fmnist-bench-rescued-*")
        (rescued,) = RunStore(shelter).read()  # measured last; nothing was begun after it
        records = [*RunStore(out).read(), rescued]
        assert 1 < len(records) <= 7
        assert [record.spec["seed"] for record in records] == list(range(len(records)))
        assert RunStore(shelter).load_samples(rescued)
    assert full.returncode == 1
    assert full.stdout.startswith("Fashion-MNIST\n")
    assert f"mean of {len(records)} seeds" in full.stdout
    said = full.stderr.splitlines()
    assert said[1].startswith(f"cannot write to {out}: No space left on device: the sweep ends")
    assert said[2].startswith(f"1 record is safe in {shelter}; ")
    assert said[3].startswith(f"records: {out} {shelter}; again: fmnist-bench table {out} ")
