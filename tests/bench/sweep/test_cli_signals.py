"""Ctrl-C, SIGTERM, SIGHUP and SIGKILL in the midst of a sweep, and `--resume` after them.

The model says by a file that it is training, and waits for another: but for one pause, no test
guesses at times.
"""

import fcntl
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

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
# `calls` is a buffer, which the warm-up puts back: step 55 is beyond any warm-up.
MODEL = """
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent

class Trains(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(784, 10)
        self.register_buffer("calls", torch.tensor(0))
        self.register_buffer("seed", torch.tensor(torch.initial_seed() % 2))

    def forward(self, images):
        self.calls += self.training
        if self.training and self.calls == 55:
            self.meet(int(self.seed))
        return self.head(images.flatten(1))

    def meet(self, seed):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        (HERE / f"training{seed}").touch()

class Waits(Trains):
    def meet(self, seed):
        super().meet(seed)
        while not (HERE / f"go{seed}").exists():
            time.sleep(0.02)
"""


@dataclass(frozen=True)
class Interrupted:
    """A sweep of one model and two seeds that got a signal.

    Attributes:
        finished: how the parent ended.
        are_all_gone: whether its children and its fork server ended too.
        folder: holds the model's file, and the records in `run`.
    """

    finished: Finished
    are_all_gone: bool
    folder: Path

    def outcomes(self) -> list[tuple[int, str]]:
        """Seed and status of each run, as they were written."""
        records = read_lines(self.folder / "run")
        return [(record["spec"]["seed"], record["status"]) for record in records]


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


def sigterm(running: Running, folder: Path) -> None:
    assert has_begun(running, folder, 0)
    running.signal(signal.SIGTERM)


def sigterm_to_all(running: Running, folder: Path) -> None:
    assert has_begun(running, folder, 0)
    running.signal(signal.SIGTERM, group=True)


def sighup_to_all(running: Running, folder: Path) -> None:
    assert has_begun(running, folder, 0)
    running.signal(signal.SIGHUP, group=True)  # as a terminal that is closed does


def sigkill(running: Running, folder: Path) -> None:
    assert has_begun(running, folder, 0)
    running.signal(signal.SIGKILL)


Case = Callable[[Running, Path], None]
InProcess = Callable[..., Finished]
CASES: tuple[Case, ...] = (
    ctrl_c_early,
    ctrl_c_once,
    ctrl_c_twice,
    sigterm,
    sigterm_to_all,
    sighup_to_all,
    sigkill,
)


@pytest.fixture(scope="module")
def ended(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Interrupted]:
    """All cases, begun side by side: most of their time is spent waiting."""
    folders = {case: tmp_path_factory.mktemp(case.__name__) for case in CASES}
    begun = {}
    for case, folder in folders.items():
        (folder / "model.py").write_text(MODEL, encoding="utf-8")
        # one of them is stopped while the training goes on and reports
        endless = ("Trains", "1000s") if case is sigterm else ()
        begun[case] = Running.start(data_root, folder, *arguments(folder, *endless))
    try:
        return {case: carry_out(case, running, folders[case]) for case, running in begun.items()}
    finally:
        for running in begun.values():
            running.process.kill()
            running.process.wait()


def carry_out(case: Case, running: Running, folder: Path) -> Interrupted:
    case(running, folder)
    return Interrupted(running.end(), running.all_gone(), folder)


def test_ctrl_c_ends_after_the_current_run(ended: dict[Case, Interrupted]) -> None:
    once = ended[ctrl_c_once]
    assert once.finished.returncode == 130
    assert once.outcomes() == [(0, "ok")]
    assert once.finished.stdout.startswith("Fashion-MNIST\n")
    assert "Traceback" not in once.finished.stderr


def test_ctrl_c_twice_ends_now_and_keeps_what_is_done(ended: dict[Case, Interrupted]) -> None:
    twice = ended[ctrl_c_twice]
    assert twice.finished.returncode == 130
    assert twice.outcomes()[:2] == [(0, "ok"), (1, "interrupted")]
    assert twice.finished.stdout.startswith("Fashion-MNIST\n")
    assert "Traceback" not in twice.finished.stderr


def test_ctrl_c_before_the_first_run_says_nothing(ended: dict[Case, Interrupted]) -> None:
    early = ended[ctrl_c_early]
    assert early.finished.returncode == 130
    assert (early.finished.stdout, early.finished.stderr.strip()) == ("", "")


@pytest.mark.parametrize(
    ("case", "code"), [(sigterm, 143), (sigterm_to_all, 143), (sighup_to_all, 129)]
)
def test_sigterm_ends_now_with_the_table(
    ended: dict[Case, Interrupted], case: Case, code: int
) -> None:
    stopped = ended[case]
    assert stopped.finished.returncode == code
    assert stopped.outcomes() == [(0, "interrupted")]
    assert "interrupted: stopped on request" in stopped.finished.stdout
    assert "Traceback" not in stopped.finished.stderr


@pytest.mark.parametrize("case", CASES)
def test_no_process_outlives_the_parent(ended: dict[Case, Interrupted], case: Case) -> None:
    assert ended[case].are_all_gone


def test_sigkill_leaves_no_half_record(ended: dict[Case, Interrupted]) -> None:
    killed = ended[sigkill]
    assert killed.finished.returncode == -signal.SIGKILL
    assert not (killed.folder / "run" / "records.jsonl").exists()


@pytest.fixture(scope="module")
def resumed(data_root: Path, ended: dict[Case, Interrupted]) -> Finished:
    """The sweep that Ctrl-C ended in its second seed, resumed."""
    folder = ended[ctrl_c_twice].folder
    (folder / "go1").touch()
    return bench(data_root, *arguments(folder), "--resume")


@pytest.fixture
def in_process(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], data_root: Path
) -> InProcess:
    """Calls the command in this process."""
    return partial(call, monkeypatch, capfd, data_root)


def test_resume_runs_what_is_missing_alone(
    ended: dict[Case, Interrupted], resumed: Finished
) -> None:
    assert resumed.returncode == 0, resumed.stderr
    assert ended[ctrl_c_twice].outcomes() == [(0, "ok"), (1, "interrupted"), (1, "ok")]
    assert "mean of 2 seeds" in resumed.stdout
    assert "failed" not in resumed.stdout  # what was interrupted and run again is no failure


def test_resuming_what_is_finished_runs_nothing(
    in_process: InProcess, ended: dict[Case, Interrupted], resumed: Finished
) -> None:
    folder = ended[ctrl_c_twice].folder
    before = (folder / "run" / "records.jsonl").read_bytes()
    again = in_process(*arguments(folder), "--resume")
    assert (again.returncode, again.stdout) == (0, resumed.stdout)
    assert (folder / "run" / "records.jsonl").read_bytes() == before


@pytest.mark.usefixtures("resumed")
def test_another_specification_is_refused(
    in_process: InProcess, ended: dict[Case, Interrupted]
) -> None:
    other = arguments(ended[ctrl_c_twice].folder, budget="70steps")
    assert_refused(in_process(*other, "--resume"), "under another specification")


@pytest.mark.usefixtures("resumed")
def test_records_are_not_added_to_without_resume(
    in_process: InProcess, ended: dict[Case, Interrupted]
) -> None:
    again = in_process(*arguments(ended[ctrl_c_twice].folder))
    assert_refused(again, "already holds 3 records; add --resume")
