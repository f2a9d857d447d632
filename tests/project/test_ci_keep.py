"""The history of nights that `.ci/keep.py` keeps: a folder for each kind of machine, and a cap."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from runpy import run_path

import pytest

from tests.command_line import REPOSITORY, Finished
from tests.results.records_by_hand import ENVIRONMENT, make_record, make_values


def write_run(folder: Path, commit: str, day: int, accuracy: float, **environment: str) -> Path:
    """A run folder with one record in it."""
    record = make_record(
        values=make_values(accuracy, 2.0, 7_850, 21 * 2**20),
        environment=ENVIRONMENT | environment,
        provenance={
            "commit": commit * 40,
            "dirty": False,
            "time_utc": f"2026-07-{day:02d}T03:20:00+00:00",
        },
    )
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_bytes(record.to_json_line())
    return folder


def keep(run: Path, history: Path, *nights: str) -> Finished:
    return subprocess.run(
        [sys.executable, str(REPOSITORY / ".ci" / "keep.py"), str(run), str(history), *nights],
        capture_output=True,
        text=True,
        check=False,
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_history_has_a_folder_for_each_kind_of_machine(tmp_path: Path) -> None:
    history = tmp_path / "history"
    first = keep(write_run(tmp_path / "1", "a", 1, 0.9), history)
    keep(write_run(tmp_path / "2", "b", 2, 0.9), history)
    other = keep(write_run(tmp_path / "3", "c", 3, 0.9, device="AMD EPYC 7763"), history)
    machine = Path(first.stdout.strip())
    assert names(machine) == ["20260701T032000-aaaaaaaaaa", "20260702T032000-bbbbbbbbbb"]
    assert names(machine / "20260701T032000-aaaaaaaaaa") == ["records.jsonl"]
    assert Path(other.stdout.strip()).name.startswith("amd-epyc-7763-")
    assert names(history) == sorted([machine.name, Path(other.stdout.strip()).name])


def test_a_commit_measured_again_takes_the_place_of_its_older_night(tmp_path: Path) -> None:
    history = tmp_path / "history"
    keep(write_run(tmp_path / "1", "a", 1, 0.9), history)
    machine = Path(keep(write_run(tmp_path / "2", "a", 2, 0.9), history).stdout.strip())
    assert names(machine) == ["20260702T032000-aaaaaaaaaa"]


def test_only_the_newest_nights_stay(tmp_path: Path) -> None:
    history = tmp_path / "history"
    keep(write_run(tmp_path / "1", "a", 1, 0.9, device="old"), history, "2")
    for number, commit in enumerate("bcd", start=2):
        done = keep(write_run(tmp_path / commit, commit, number, 0.9), history, "2")
    (machine,) = history.iterdir()
    assert machine == Path(done.stdout.strip())
    assert names(machine) == ["20260703T032000-cccccccccc", "20260704T032000-dddddddddd"]


def test_a_night_without_records_is_one_line(tmp_path: Path) -> None:
    done = keep(tmp_path, tmp_path / "history")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "no night kept" in done.stderr


def write_seeds(folder: Path, commit: str, day: int, *statuses: str) -> Path:
    """A run folder with a record a status."""
    record = make_record(
        provenance={
            "commit": commit * 40,
            "dirty": False,
            "time_utc": f"2026-07-{day:02d}T03:20:00+00:00",
        },
    )
    folder.mkdir(parents=True)
    lines = [replace(record, status=status).to_json_line() for status in statuses]
    (folder / "records.jsonl").write_bytes(b"".join(lines) + b'{"cut short')
    return folder


def test_a_night_of_which_fewer_runs_ended_well_takes_nobodys_place(tmp_path: Path) -> None:
    history = tmp_path / "history"
    keep(write_seeds(tmp_path / "1", "a", 1, "ok", "ok"), history)
    worse = keep(write_seeds(tmp_path / "2", "a", 2, "ok", "crashed"), history)
    machine = Path(worse.stdout.strip())
    assert names(machine) == ["20260701T032000-aaaaaaaaaa"]
    assert "stays: more of its runs ended well" in worse.stderr
    as_good = keep(write_seeds(tmp_path / "3", "a", 3, "ok", "ok"), history)
    assert names(machine) == ["20260703T032000-aaaaaaaaaa"]
    assert as_good.stderr == ""


def test_the_same_night_kept_twice_is_one(tmp_path: Path) -> None:
    run = write_run(tmp_path / "1", "a", 1, 0.9)
    keep(run, tmp_path / "history")
    machine = Path(keep(run, tmp_path / "history").stdout.strip())
    assert names(machine) == ["20260701T032000-aaaaaaaaaa"]
    assert names(machine / "20260701T032000-aaaaaaaaaa") == ["records.jsonl"]


def test_a_copy_that_fails_leaves_the_older_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = run_path(str(REPOSITORY / ".ci" / "keep.py"))
    history = tmp_path / "history"
    machine = keeper["keep"](write_run(tmp_path / "1", "a", 1, 0.9), history)

    def full(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:10])
        raise OSError("no space left")

    monkeypatch.setattr("shutil.copy", full)
    with pytest.raises(OSError, match="no space"):
        keeper["keep"](write_run(tmp_path / "2", "a", 2, 0.9), history)
    assert names(machine) == ["20260701T032000-aaaaaaaaaa"]


def test_stray_files_are_stepped_over(tmp_path: Path) -> None:
    history = tmp_path / "history"
    machine = Path(keep(write_run(tmp_path / "1", "a", 1, 0.9), history).stdout.strip())
    (history / "README").write_text("mine")
    (machine / "notes.txt").write_text("mine")
    done = keep(write_run(tmp_path / "2", "b", 2, 0.9), history, "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert names(machine) == ["20260702T032000-bbbbbbbbbb", "notes.txt"]
    assert "README" in names(history)


def test_where_a_history_begins_it_says_so(tmp_path: Path) -> None:
    history = tmp_path / "history"
    first = keep(write_run(tmp_path / "1", "a", 1, 0.9), history)
    assert first.stderr == f"keep.py: a new history begins in {history}\n"
    assert keep(write_run(tmp_path / "2", "b", 2, 0.9), history).stderr == ""


def test_a_commit_cannot_lead_out_of_the_history(tmp_path: Path) -> None:
    run = write_run(tmp_path / "1", "../", 1, 0.9)
    machine = Path(keep(run, tmp_path / "history").stdout.strip())
    assert names(machine) == ["20260701T032000-"]
