"""Models that fail in training: each is a row, none takes the others with it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from results.rows.rows import ROW_KEYS
from tests.command_line import CPU, PLAN, Finished, Running, bench, read_lines

pytestmark = pytest.mark.slow

# They behave in eval mode, in which they are checked before the sweep, and in warm-up, which has
# at most 50 steps. `calls` is a buffer, which the warm-up puts back: trouble comes at step 55. Only
# a NaN does no harm in the warm-up, whose weights are put back too.
FAILING_MODELS = """
import ctypes
import os
import resource
import threading
import time
from pathlib import Path

import torch
from torch import nn

print("printed at import")
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no core file in the work tree

class Net(nn.Module):
    seeds = (0, 1)
    due = 55

    def __init__(self):
        super().__init__()
        print("printed when built")
        self.head = nn.Linear(784, 10)
        self.register_buffer("calls", torch.tensor(0))
        self.register_buffer("seed", torch.tensor(torch.initial_seed() % 2))

    def forward(self, images):
        logits = self.head(images.flatten(1))
        self.calls += self.training
        is_due = self.training and self.calls == self.due and int(self.seed) in self.seeds
        return self.misbehave(logits) if is_due else logits

class Raises(Net):
    def misbehave(self, logits):
        raise RuntimeError("no more")

class Exits(Net):
    seeds = (1,)
    def misbehave(self, logits):
        os._exit(3)

class Faults(Net):
    seeds = (1,)
    def misbehave(self, logits):
        ctypes.string_at(0)

class Diverges(Net):
    due = 10
    def misbehave(self, logits):
        return logits * float("nan")

class Hungers(Net):
    def misbehave(self, logits):
        hoard = []
        while True:
            hoard.append(torch.ones(2**24))

class Loops(Net):
    seeds = (1,)
    def misbehave(self, logits):
        Path(__file__).with_name("loops").touch()
        while True:
            pass

class HasAnotherShape(Net):
    def misbehave(self, logits):
        return logits[:, :7]

class WritesRubbish(Net):
    seeds = (0,)
    def misbehave(self, logits):
        for name in os.listdir("/proc/self/fd"):
            path = "/proc/self/fd/" + name
            if os.path.exists(path) and os.readlink(path).startswith("socket:"):
                os.write(int(name), b"rubbish!" * 1000)
        time.sleep(3600)

class Good(Net):
    def misbehave(self, logits):
        print("printed in training")
        threading.Thread(target=time.sleep, args=(3600,)).start()  # no daemon: it clings to life
        return logits
"""
NAMES = (
    "Raises",
    "Exits",
    "Faults",
    "Diverges",
    "Hungers",
    "Loops",
    "HasAnotherShape",
    "WritesRubbish",
    "Good",
)
TIMEOUT_S = 600
# The time of a run is up once it loops, however long the others take on a busy machine.
PROGRAM = """
import sys
from pathlib import Path

from bench.__main__ import main
from bench.workers.messages import TimeLimit

loops = Path(sys.argv.pop(1))

def is_over(_limit):
    has_begun = loops.exists()
    loops.unlink(missing_ok=True)
    return has_begun

TimeLimit.is_over = is_over
main()
"""
MAX_MEMORY_GB = 1.5


@dataclass(frozen=True)
class Failed:
    """A sweep of models that fail, and a good one at the end."""

    finished: Finished
    are_all_gone: bool
    folder: Path
    data_root: Path

    def runs(self, name: str) -> list[dict[str, Any]]:
        """The records of one model."""
        return [r for r in read_lines(self.folder) if r["spec"]["model"].endswith(f":{name}")]

    def outcomes(self, name: str) -> list[tuple[int, str]]:
        """Seed and status of each run of one model, as they were written."""
        return [(run["spec"]["seed"], run["status"]) for run in self.runs(name)]

    def reasons(self, name: str) -> set[str]:
        """Why runs of one model failed."""
        return {run["reason"] for run in self.runs(name) if run["status"] != "ok"}


@pytest.fixture(scope="module")
def failed(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Failed:
    """Two seeds of each model."""
    folder = tmp_path_factory.mktemp("failing")
    path = folder / "models.py"
    path.write_text(FAILING_MODELS, encoding="utf-8")
    models = ",".join(f"{path}:{name}" for name in NAMES)
    size = ("--models", models, "--budget", "60steps", "--seeds", "2")
    limits = ("--timeout", str(TIMEOUT_S), "--max-memory-gb", str(MAX_MEMORY_GB))
    where = (*PLAN, *CPU, "--out", folder / "run")
    program = ("-c", PROGRAM, str(folder / "loops"))
    running = Running.start(data_root, folder, "run", *size, *limits, *where, program=program)
    return Failed(running.end(), running.all_gone(), folder / "run", data_root)


def test_every_run_is_recorded_and_the_sweep_ends_with_1(failed: Failed) -> None:
    assert failed.finished.returncode == 1, failed.finished.stderr
    assert len(read_lines(failed.folder)) == 2 * len(NAMES)


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("Raises", "crashed", "RuntimeError: no more (models.py:"),
        ("Diverges", "diverged", "the loss became nan at step 10"),
        ("Hungers", "out_of_memory", "its memory was limited to 1.5 GB (--max-memory-gb): "),
        ("HasAnotherShape", "crashed", "in training the model returns shape (128, 7), not (128"),
    ],
)
def test_an_exception_is_a_row_and_the_next_seed_has_its_chance(
    failed: Failed, name: str, status: str, reason: str
) -> None:
    assert failed.outcomes(name) == [(0, status), (1, status)]
    assert all(reason in found for found in failed.reasons(name))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Exits", "the process exited with code 3"),
        (
            "Faults",
            "the process was killed by SIGSEGV; its memory was limited to 1.5 GB "
            "(--max-memory-gb), which may be why",
        ),
    ],
)
def test_a_death_keeps_the_seeds_before_it(failed: Failed, name: str, reason: str) -> None:
    assert failed.outcomes(name) == [(0, "ok"), (1, "crashed")]
    assert failed.reasons(name) == {reason}


def test_a_seed_after_a_death_runs_in_a_fresh_child(failed: Failed) -> None:
    assert failed.outcomes("WritesRubbish") == [(0, "crashed"), (1, "ok")]
    reason = "the child wrote something into the pipe that is no message"
    assert failed.reasons("WritesRubbish") == {reason}


def test_a_model_that_hangs_is_given_up(failed: Failed) -> None:
    assert failed.outcomes("Loops") == [(0, "ok"), (1, "timeout")]
    assert failed.reasons("Loops") == {f"no result within {TIMEOUT_S} s"}


def test_the_good_model_at_the_end_is_none_the_worse(failed: Failed) -> None:
    assert failed.outcomes("Good") == [(0, "ok"), (1, "ok")]


def test_no_process_is_left_behind(failed: Failed) -> None:
    assert failed.are_all_gone


def test_what_a_model_prints_does_not_mix_into_the_table(failed: Failed) -> None:
    assert failed.finished.stdout.startswith("Fashion-MNIST\n")
    assert "printed" not in failed.finished.stdout
    for when in ("at import", "when built", "in training"):
        assert f"printed {when}" in failed.finished.stderr


def test_the_table_shows_every_model_with_every_key(failed: Failed) -> None:
    shown = bench(failed.data_root, "table", failed.folder, "--format", "json")
    rows = {row["model"].rpartition(":")[2]: row for row in json.loads(shown.stdout)}
    assert shown.returncode == 0
    assert sorted(rows) == sorted(NAMES)
    assert {tuple(row) for row in rows.values()} == {ROW_KEYS}
    assert rows["Diverges"]["status"] == "diverged"
    assert rows["Diverges"]["test_accuracy"] is None
    assert (rows["Exits"]["n_seeds"], rows["Exits"]["n_failed"]) == (1, 1)
    assert rows["Exits"]["reason"].startswith("1 of 2 runs failed: crashed: ")


def test_a_person_sees_every_failure(failed: Failed) -> None:
    shown = bench(failed.data_root, "table", failed.folder, "--notes").stdout
    for name in NAMES[:-1]:
        assert f":{name}: " in shown
    for status in ("crashed", "diverged", "out_of_memory", "timeout"):
        assert f"{status}: " in shown
