"""The history of nights that `.ci/keep.py` keeps: a folder for each kind of machine, and a cap."""

import sys
from pathlib import Path
from runpy import run_path

import pytest

from tests.command_line import REPOSITORY, Finished, finish
from tests.results.records_by_hand import ENVIRONMENT, make_record, make_values


def write_run(
    folder: Path,
    commit: str,
    day: int,
    accuracy: float = 0.9,
    *,
    statuses: tuple[str, ...] = ("ok",),
    **environment: str,
) -> Path:
    """A run folder with a record a status, and a line that a crash has cut short."""
    time = f"2026-07-{day:02d}T03:20:00+00:00"
    lines = [
        make_record(
            values=make_values(accuracy, 2.0, 7_850, 21 * 2**20),
            status=status,
            environment=ENVIRONMENT | environment,
            provenance={"commit": commit * 40, "dirty": False, "time_utc": time},
        ).to_json_line()
        for status in statuses
    ]
    folder.mkdir(parents=True)
    cut_short = [b'{"cut short'] if len(statuses) > 1 else []
    (folder / "records.jsonl").write_bytes(b"".join([*lines, *cut_short]))
    return folder


def keep(run: Path, history: Path, *nights: str) -> Finished:
    return finish(sys.executable, ".ci/keep.py", run, history, *nights)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history"


@pytest.fixture
def machine(tmp_path: Path, history: Path) -> Path:
    """The folder of a machine with one night, that of commit a on the first day."""
    done = keep(write_run(tmp_path / "first", "a", 1), history)
    assert done.stderr == f"keep.py: a new history begins in {history}\n"
    return Path(done.stdout.strip())


A1 = "20260701T032000-aaaaaaaaaa"


def test_the_history_has_a_folder_for_each_kind_of_machine(
    tmp_path: Path, history: Path, machine: Path
) -> None:
    done = keep(write_run(tmp_path / "2", "b", 2), history)
    assert (done.stdout, done.stderr) == (f"{machine}\n", "")
    other = keep(write_run(tmp_path / "3", "c", 3, device="AMD EPYC 7763"), history)
    assert names(machine) == [A1, "20260702T032000-bbbbbbbbbb"]
    assert names(machine / A1) == ["records.jsonl"]
    assert Path(other.stdout.strip()).name.startswith("amd-epyc-7763-")
    assert names(history) == sorted([machine.name, Path(other.stdout.strip()).name])


def test_a_commit_measured_again_takes_the_place_of_its_older_night(
    tmp_path: Path, history: Path, machine: Path
) -> None:
    keep(tmp_path / "first", history)  # the same night twice is one
    assert names(machine) == [A1]
    assert names(machine / A1) == ["records.jsonl"]
    keep(write_run(tmp_path / "2", "a", 2), history)
    assert names(machine) == ["20260702T032000-aaaaaaaaaa"]


def test_a_night_of_which_fewer_runs_ended_well_takes_nobodys_place(
    tmp_path: Path, history: Path
) -> None:
    keep(write_run(tmp_path / "1", "a", 1, statuses=("ok", "ok")), history)
    worse = keep(write_run(tmp_path / "2", "a", 2, statuses=("ok", "crashed")), history)
    machine = Path(worse.stdout.strip())
    assert names(machine) == [A1]
    assert "stays: more of its runs ended well" in worse.stderr
    as_good = keep(write_run(tmp_path / "3", "a", 3, statuses=("ok", "ok")), history)
    assert names(machine) == ["20260703T032000-aaaaaaaaaa"]
    assert as_good.stderr == ""


def test_only_the_newest_nights_stay(tmp_path: Path, history: Path) -> None:
    keep(write_run(tmp_path / "1", "a", 1, device="old"), history, "2")
    for number, commit in enumerate("bcd", start=2):
        done = keep(write_run(tmp_path / commit, commit, number), history, "2")
    (machine,) = history.iterdir()
    assert machine == Path(done.stdout.strip())
    assert names(machine) == ["20260703T032000-cccccccccc", "20260704T032000-dddddddddd"]


def test_stray_files_are_stepped_over(tmp_path: Path, history: Path, machine: Path) -> None:
    (history / "README").write_text("mine")
    (machine / "notes.txt").write_text("mine")
    done = keep(write_run(tmp_path / "2", "b", 2), history, "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert names(machine) == ["20260702T032000-bbbbbbbbbb", "notes.txt"]
    assert "README" in names(history)


def test_a_night_without_records_is_one_line(tmp_path: Path, history: Path) -> None:
    done = keep(tmp_path, history)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "no night kept" in done.stderr


def test_a_copy_that_fails_leaves_the_older_night(
    tmp_path: Path, history: Path, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:10])
        raise OSError("no space left")

    monkeypatch.setattr("shutil.copy", full)
    keeper = run_path(str(REPOSITORY / ".ci" / "keep.py"))
    with pytest.raises(OSError, match="no space"):
        keeper["keep"](write_run(tmp_path / "2", "a", 2), history)
    assert names(machine) == [A1]


def test_a_commit_cannot_lead_out_of_the_history(tmp_path: Path, history: Path) -> None:
    machine = Path(keep(write_run(tmp_path / "1", "../", 1), history).stdout.strip())
    assert names(machine) == ["20260701T032000-"]
