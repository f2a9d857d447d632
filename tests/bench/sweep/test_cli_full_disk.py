"""A disk that is full in the midst of a real sweep: what is measured is shown and kept."""

import shlex
import subprocess
import tempfile
from multiprocessing import util
from pathlib import Path

import pytest

from results import RunStore, read_records
from tests.bench.sweep.mounting import mounted
from tests.command_line import CPU, PLAN, Finished, call

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
    def run(*more: str | Path) -> Finished:
        return call(monkeypatch, capfd, data_root, *SWEEP, *FEW, *more)

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    util.get_temp_dir()  # of the fork server's socket, before: a path in `tmp_path` can be too long
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with mounted(tmp_path / "disk", ROOM) as disk:
        out = disk / "run"
        full = run("--out", out)
        assert full.returncode == 1
        (shelter,) = temporary.glob("fmnist-bench-rescued-*")
        stored, rescued = RunStore(out).read(), RunStore(shelter).read()
        assert 0 < len(stored) < 7
        assert len(rescued) == 1  # what was measured last; nothing was begun after it
        assert full.stdout.startswith("Fashion-MNIST\n")
        assert f"mean of {len(stored) + 1} seeds" in full.stdout
        said = full.stderr.splitlines()
        assert said[1].startswith(f"cannot write to {out}: No space left on device: the sweep ends")
        assert said[2].startswith(f"1 record is safe in {shelter}; ")
        assert said[3].startswith(f"records: {out} {shelter}; again: fmnist-bench table {out} ")

        subprocess.run(["mount", "-o", "remount,size=2m", str(disk)], check=True)
        command = said[2].partition("what is there: ")[2]
        assert shlex.split(command)[0] == "mkdir"
        subprocess.run(["bash", "-c", command], check=True)
        resumed = run("--out", out, "--resume")
        assert resumed.returncode == 0, resumed.stderr
        assert "mean of 7 seeds" in resumed.stdout
        records = read_records(out)
        assert sorted(record.spec["seed"] for record in records) == list(range(7))
        assert records[: len(stored) + 1] == stored + rescued  # none was repeated
        assert all(RunStore(out).load_samples(record) for record in records)
