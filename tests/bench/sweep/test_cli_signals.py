"""Ctrl-C, SIGTERM, SIGHUP and SIGKILL in the midst of a sweep, and `--resume` after them.

The model says by a file that it is training, and waits for another: but for one pause, no test
guesses at times.
"""

import fcntl
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.bench.workers.models_by_hand import write_models
from tests.command_line import (
    CPU,
    PLAN,
    Finished,
    Running,
    assert_refused,
    bench,
    call,
    processes_with,
    read_lines,
)

pytestmark = pytest.mark.slow

AFTER_WRITING_S = 1.0  # from the end of a write to the wait for the next record: microseconds
NOTICE = "stopping after the current run; press Ctrl-C again to stop now"
MODEL = """
class Trains(Net):
    def meet(self, logits):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        (HERE / f"training{self.seed}").touch()
        return logits

class Waits(Trains):
    def meet(self, logits):
        super().meet(logits)
        while not (HERE / f"go{self.seed}").exists():
            time.sleep(0.02)
        return logits
"""


class Interrupted(NamedTuple):
    """How a sweep of one model and two seeds ended that got a signal."""

    finished: Finished
    are_all_gone: bool  # its children and its fork server too
    folder: Path  # holds the model's file, and the records in `run`
    outcomes: list[tuple[int, str]]


def outcomes_in(folder: Path) -> list[tuple[int, str]]:
    """Seed and status of each run, as they were written."""
    if not (folder / "run" / "records.jsonl").exists():
        return []
    return [(record["spec"]["seed"], record["status"]) for record in read_lines(folder / "run")]


def arguments(folder: Path, model: str = "Waits", budget: str = "60steps") -> list[str]:
    size = ["--models", f"{folder / 'model.py'}:{model}", "--budget", budget, "--seeds", "2"]
    return ["run", *size, *PLAN, *CPU, "--out", str(folder / "run")]


def has_begun(running: Running, folder: Path, seed: int) -> bool:
    return running.reaches((folder / f"training{seed}").exists)


def is_written(path: Path) -> bool:
    """Whether there is something, and nobody is writing it: a writer holds a lock."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return bool(file.read())
    except OSError:
        return False


def ctrl_c_once(running: Running, folder: Path) -> None:
    assert has_begun(running, folder, 0)
    running.signal(signal.SIGINT, group=True)
    assert running.reaches(lambda: running.says(NOTICE))
    (folder / "go0").touch()


def ctrl_c_twice(running: Running, folder: Path) -> None:
    (folder / "go0").touch()
    assert has_begun(running, folder, 1)
    # the child is ahead: the parent may still be writing the first record, and would end after it
    assert running.reaches(partial(is_written, folder / "run" / "records.jsonl"))
    time.sleep(AFTER_WRITING_S)
    running.signal(signal.SIGINT, group=True)
    assert running.reaches(lambda: running.says(NOTICE))
    running.signal(signal.SIGINT, group=True)


def ctrl_c_early(running: Running, _folder: Path) -> None:
    # the parent, a tracker of shared memory, and the fork server, which imports for seconds
    assert running.reaches(lambda: len(processes_with(running.mark)) >= 3)
    running.signal(signal.SIGINT, group=True)


def in_training(number: signal.Signals, *, group: bool = False) -> "Case":
    def send(running: Running, folder: Path) -> None:
        assert has_begun(running, folder, 0)
        running.signal(number, group=group)

    return send


Case = Callable[[Running, Path], None]
Ended = dict[str, Interrupted]
CASES: dict[str, Case] = {
    "Ctrl-C early": ctrl_c_early,
    "Ctrl-C": ctrl_c_once,
    "Ctrl-C twice": ctrl_c_twice,
    "SIGTERM": in_training(signal.SIGTERM),
    "SIGTERM to all": in_training(signal.SIGTERM, group=True),
    "SIGHUP to all": in_training(signal.SIGHUP, group=True),  # as a terminal that is closed does
    "SIGKILL": in_training(signal.SIGKILL),
}


@pytest.fixture(scope="module")
def ended(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """All cases, begun side by side: most of their time is spent waiting."""
    begun: dict[str, tuple[Running, Path]] = {}
    for name in CASES:
        folder = tmp_path_factory.mktemp("signal")
        write_models(folder / "model.py", MODEL)
        # one of them is stopped while the training goes on and reports
        endless = ("Trains", "1000s") if name == "SIGTERM" else ()
        begun[name] = Running.start(data_root, folder, *arguments(folder, *endless)), folder
    try:
        for name, (running, folder) in begun.items():
            CASES[name](running, folder)
        return {
            name: Interrupted(running.end(), running.all_gone(), folder, outcomes_in(folder))
            for name, (running, folder) in begun.items()
        }
    finally:
        for running, _ in begun.values():
            running.process.kill()
            running.process.wait()


@pytest.mark.parametrize(
    ("name", "code", "outcomes"),
    [
        ("Ctrl-C", 130, [(0, "ok")]),
        ("Ctrl-C twice", 130, [(0, "ok"), (1, "interrupted")]),
        ("SIGTERM", 143, [(0, "interrupted")]),
        ("SIGTERM to all", 143, [(0, "interrupted")]),
        ("SIGHUP to all", 129, [(0, "interrupted")]),
    ],
)
def test_a_signal_ends_with_its_code_and_the_table_of_what_there_is(
    ended: Ended, name: str, code: int, outcomes: list[tuple[int, str]]
) -> None:
    finished = ended[name].finished
    assert finished.returncode == code
    assert ended[name].outcomes == outcomes  # no run is begun that the signal forbids
    assert finished.stdout.startswith("Fashion-MNIST\n")
    is_cut_short = outcomes[-1][1] == "interrupted"
    assert ("interrupted: stopped on request" in finished.stdout) == is_cut_short
    assert "Traceback" not in finished.stderr


def test_ctrl_c_before_the_first_run_says_nothing(ended: Ended) -> None:
    early = ended["Ctrl-C early"].finished
    assert (early.returncode, early.stdout, early.stderr.strip()) == (130, "", "")


def test_sigkill_leaves_no_half_record_and_nothing_leaves_a_process(ended: Ended) -> None:
    killed = ended["SIGKILL"]
    assert killed.finished.returncode == -signal.SIGKILL
    assert not (killed.folder / "run" / "records.jsonl").exists()
    assert [name for name, case in ended.items() if not case.are_all_gone] == []


@pytest.fixture(scope="module")
def resumed(data_root: Path, ended: Ended) -> Finished:
    """The sweep that Ctrl-C ended in its second seed, resumed."""
    folder = ended["Ctrl-C twice"].folder
    (folder / "go1").touch()
    return bench(data_root, *arguments(folder), "--resume")


def test_resume_runs_what_is_missing_alone(ended: Ended, resumed: Finished) -> None:
    assert resumed.returncode == 0, resumed.stderr
    outcomes = outcomes_in(ended["Ctrl-C twice"].folder)
    assert outcomes == [(0, "ok"), (1, "interrupted"), (1, "ok")]
    assert "mean of 2 seeds" in resumed.stdout
    assert "failed" not in resumed.stdout  # what was interrupted and run again is no failure


def test_a_folder_that_is_finished_gets_no_more_runs(
    ended: Ended,
    resumed: Finished,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    data_root: Path,
) -> None:
    folder = ended["Ctrl-C twice"].folder
    before = (folder / "run" / "records.jsonl").read_bytes()
    again = partial(call, monkeypatch, capfd, data_root)
    resuming = again(*arguments(folder), "--resume")
    assert (resuming.returncode, resuming.stdout) == (0, resumed.stdout)
    other = again(*arguments(folder, budget="70steps"), "--resume")
    assert_refused(other, "under another specification")
    assert_refused(again(*arguments(folder)), "already holds 3 records; add --resume")
    assert (folder / "run" / "records.jsonl").read_bytes() == before
