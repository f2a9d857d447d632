"""What is measured and cannot be stored is brought to safety, and said to be where it is."""

import errno
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.run.record import RunResult
from bench.sweep.rescue import Ended, run_and_rescue, store_or_refuse
from bench.workers.interruption import Interruption
from results import RunRecord, RunStore, read_records
from results.records import store
from results.records.appending import open_lines
from tests.results.records_by_hand import make_record

SAMPLES = {"loss": np.arange(4.0)}
FULL = OSError(errno.ENOSPC, "No space left on device")
Note = Callable[[RunRecord], None]
MANY = {"load": "x" * 3000}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files of these tests."""
    folder = tmp_path / "temporary files"  # whose names a shell must be given in quotes
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def out(tmp_path: Path) -> RunStore:
    """A store without records."""
    return RunStore(tmp_path / "my run")


RESULTS = [RunResult(make_record(seed=seed), SAMPLES) for seed in (2, 3)]


class Sweep:
    """One that measures a third and a fourth run; tells what was said."""

    def __init__(self, out: RunStore, capsys: pytest.CaptureFixture[str]) -> None:
        self.out, self.capsys = out, capsys
        self.said: list[str] = []

    def run(
        self,
        before: Callable[[], object] = lambda: None,
        results: Sequence[RunResult] = RESULTS,
    ) -> Ended:
        """Runs it, after something has happened to its store."""

        def work(note: Note) -> Interruption:
            before()
            store_or_refuse(self.out, results, note)
            return Interruption()

        ended = run_and_rescue(work, self.out, self.out.read)
        self.said = self.capsys.readouterr().err.splitlines()
        return ended

    def bring_back(self) -> None:
        """Does what it has said."""
        command = next(line for line in self.said if "bring back" in line)
        subprocess.run(["bash", "-c", command.partition("what is there: ")[2]], check=True)


@pytest.fixture
def sweep(out: RunStore, capsys: pytest.CaptureFixture[str]) -> Sweep:
    """A sweep under way: its store has two records."""
    for seed in range(2):
        out.append(make_record(seed=seed), SAMPLES)
    return Sweep(out, capsys)


def refuse(monkeypatch: pytest.MonkeyPatch, *folders: Path, samples_only: bool = False) -> None:
    """Lets these folders be full."""

    def full(path: Path) -> bool:
        return any(folder in path.parents for folder in folders)

    def opened(path: Path) -> object:
        if full(path) and not samples_only:
            raise FULL
        return open_lines(path)

    write = RunStore._write_samples

    def written(self: RunStore, record: RunRecord, packed: bytes, *, is_alone: bool) -> None:
        if full(self.path):
            raise FULL
        write(self, record, packed, is_alone=is_alone)

    monkeypatch.setattr(store, "open_lines", opened)
    monkeypatch.setattr(RunStore, "_write_samples", written)


def seeds(records: list[RunRecord]) -> list[int]:
    return [record.spec["seed"] for record in records]


def test_a_store_that_takes_all_is_all_there_is(sweep: Sweep) -> None:
    ended = sweep.run()
    assert (seeds(ended.records), ended.folders) == ([0, 1, 2, 3], [sweep.out.folder])
    assert (ended.exit_code, sweep.said) == (None, [])


def test_what_a_full_disk_refused_is_safe_elsewhere_and_can_be_brought_back(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    ended = sweep.run(lambda: refuse(monkeypatch, sweep.out.folder))
    monkeypatch.undo()
    (shelter,) = temporary.iterdir()
    assert (seeds(ended.records), ended.exit_code) == ([0, 1, 2, 3], 1)
    assert ended.folders == [sweep.out.folder, shelter]
    assert sweep.said[0] == (
        f"cannot write to {sweep.out.folder}: No space left on device: "
        "the sweep ends here; mend that, then go on with --resume"
    )
    assert sweep.said[1].startswith(f"2 records are safe in {shelter}; ")
    assert seeds(read_records(*ended.folders)) == [0, 1, 2, 3]
    sweep.bring_back()
    assert seeds(sweep.out.read()) == [0, 1, 2, 3]
    assert all("loss" in sweep.out.load_samples(record) for record in sweep.out.read())


def test_what_was_deleted_is_rescued_with_the_rest(sweep: Sweep, temporary: Path) -> None:
    ended = sweep.run(lambda: shutil.rmtree(sweep.out.folder))
    (shelter,) = temporary.iterdir()
    assert (seeds(ended.records), ended.folders) == ([0, 1, 2, 3], [shelter])
    assert not sweep.out.folder.exists()
    assert "removed or replaced, and 2 records with it: the sweep ends here" in sweep.said[0]
    kept = RunStore(shelter)
    assert [len(kept.load_samples(record)) for record in kept.read()] == [0, 0, 1, 1]
    assert kept.read()[0].missing["samples"] == "lost with the folder that held them"
    sweep.bring_back()
    assert seeds(sweep.out.read()) == [0, 1, 2, 3]


def test_samples_outlive_the_records_file_that_named_them(sweep: Sweep, temporary: Path) -> None:
    sweep.run(sweep.out.path.unlink)
    kept = RunStore(next(temporary.iterdir()))
    assert [len(kept.load_samples(record)) for record in kept.read()] == [1, 1, 1, 1]


def test_a_folder_deleted_after_the_last_record_is_seen_too(sweep: Sweep) -> None:
    ended = sweep.run(lambda: shutil.rmtree(sweep.out.folder), results=())
    assert (seeds(ended.records), ended.exit_code) == ([0, 1], 1)
    assert "was removed or replaced: the sweep ends here" in sweep.said[0]


def test_where_only_4_kb_fit_anywhere_the_record_stands_without_samples(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    ended = sweep.run(lambda: refuse(monkeypatch, sweep.out.folder, temporary, samples_only=True))
    assert ended.folders == [sweep.out.folder]
    last = sweep.out.read()[-1]
    assert (last.spec["seed"], last.samples) == (3, None)
    assert last.missing["samples"] == "there was no room for them"
    assert sweep.said[-1].endswith("is kept without its samples: no room for them")
    assert list(temporary.iterdir()) == []


def test_where_nothing_fits_anywhere_the_record_is_said(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    ended = sweep.run(lambda: refuse(monkeypatch, sweep.out.folder, temporary))
    monkeypatch.undo()
    lines = [line for line in sweep.said if line.startswith("{")]
    assert seeds([RunRecord.from_json_line(line.encode()) for line in lines]) == [2, 3]
    assert seeds(ended.records) == [0, 1, 2, 3]
    sweep.out.path.write_bytes(sweep.out.path.read_bytes() + "\n".join(lines).encode() + b"\n")
    assert seeds(sweep.out.read()) == [0, 1, 2, 3]


def test_without_room_for_a_reason_a_record_still_fits_its_4_kb(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    refuse(monkeypatch, sweep.out.folder, temporary, samples_only=True)
    big = make_record(conditions=MANY, missing={"energy": "a CPU run has no NVML" * 8})
    ended = sweep.run(results=[RunResult(big, SAMPLES)])
    assert sweep.out.read()[-1].record_id == big.record_id
    assert ended.exit_code == 1
