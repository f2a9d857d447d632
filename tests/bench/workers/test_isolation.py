"""Models that fail in training: each is a row, none takes the others with it."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from results.rows.rows import ROW_KEYS
from tests.bench.workers.models_by_hand import write_models
from tests.command_line import CPU, PLAN, Finished, Running, bench, read_lines

pytestmark = pytest.mark.slow

FAILING_MODELS = """
print("printed at import")

class Raises(Net):
    def meet(self, logits):
        raise RuntimeError("no more")

class Exits(Net):
    seeds = (1,)
    def meet(self, logits):
        os._exit(3)

class Faults(Net):
    seeds = (1,)
    def meet(self, logits):
        ctypes.string_at(0)

class Diverges(Net):
    due = 10
    def meet(self, logits):
        return logits * float("nan")

class Hungers(Net):
    def meet(self, logits):
        hoard = []
        while True:
            hoard.append(torch.ones(2**24))

class Loops(Net):
    seeds = (1,)
    def meet(self, logits):
        (HERE / "loops").touch()
        while True:
            pass

class HasAnotherShape(Net):
    def meet(self, logits):
        return logits[:, :7]

class WritesRubbish(Net):
    seeds = (0,)
    def meet(self, logits):
        for name in os.listdir("/proc/self/fd"):
            path = "/proc/self/fd/" + name
            if os.path.exists(path) and os.readlink(path).startswith("socket:"):
                os.write(int(name), b"rubbish!" * 1000)
        time.sleep(3600)

class Good(Net):
    def __init__(self):
        super().__init__()
        print("printed when built")

    def meet(self, logits):
        print("printed in training")
        threading.Thread(target=time.sleep, args=(3600,)).start()  # no daemon: it clings to life
        return logits
"""
TIMEOUT_S, MAX_MEMORY_GB = 600, 1.5
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
LIMIT = "its memory was limited to 1.5 GB (--max-memory-gb)"
ENDS = {  # status of both seeds, and the reason
    "Raises": ("crashed", "crashed", "RuntimeError: no more (models.py:"),
    "Exits": ("ok", "crashed", "the process exited with code 3"),
    "Faults": ("ok", "crashed", f"killed by SIGSEGV; {LIMIT}, which may be why"),
    "Diverges": ("diverged", "diverged", "the loss became nan at step 10"),
    "Hungers": ("out_of_memory", "out_of_memory", f"{LIMIT}: "),
    "Loops": ("ok", "timeout", f"no result within {TIMEOUT_S} s"),
    "HasAnotherShape": ("crashed", "crashed", "the model returns shape (128, 7), not (128"),
    "WritesRubbish": ("crashed", "ok", "wrote something into the pipe that is no message"),
    "Good": ("ok", "ok", ""),
}


@dataclass(frozen=True)
class Failed:
    """A sweep of models that fail, and a good one at the end."""

    finished: Finished
    are_all_gone: bool
    folder: Path
    data_root: Path


@pytest.fixture(scope="module")
def failed(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Failed:
    """Two seeds of each model."""
    folder = tmp_path_factory.mktemp("failing")
    path = write_models(folder / "models.py", FAILING_MODELS)
    models = ",".join(f"{path}:{name}" for name in ENDS)
    size = ("--models", models, "--budget", "60steps", "--seeds", "2")
    limits = ("--timeout", str(TIMEOUT_S), "--max-memory-gb", str(MAX_MEMORY_GB))
    where = (*PLAN, *CPU, "--out", folder / "run")
    program = ("-c", PROGRAM, str(folder / "loops"))
    running = Running.start(data_root, folder, "run", *size, *limits, *where, program=program)
    return Failed(running.end(), running.all_gone(), folder / "run", data_root)


def test_every_run_is_recorded_and_the_sweep_ends_with_1(failed: Failed) -> None:
    assert failed.finished.returncode == 1, failed.finished.stderr
    assert len(read_lines(failed.folder)) == 2 * len(ENDS)
    assert failed.are_all_gone


@pytest.mark.parametrize("name", ENDS)
def test_a_failure_is_a_row_and_takes_no_other_seed_with_it(failed: Failed, name: str) -> None:
    first, second, reason = ENDS[name]
    runs = [r for r in read_lines(failed.folder) if r["spec"]["model"].endswith(f":{name}")]
    assert [(run["spec"]["seed"], run["status"]) for run in runs] == [(0, first), (1, second)]
    assert all(reason in run["reason"] for run in runs if run["status"] != "ok")


def test_what_a_model_prints_does_not_mix_into_the_table(failed: Failed) -> None:
    assert failed.finished.stdout.startswith("Fashion-MNIST\n")
    assert "printed" not in failed.finished.stdout
    for when in ("at import", "when built", "in training"):
        assert f"printed {when}" in failed.finished.stderr


def test_the_table_shows_every_model_with_every_key(failed: Failed) -> None:
    shown = bench(failed.data_root, "table", failed.folder, "--format", "json")
    rows = {row["model"].rpartition(":")[2]: row for row in json.loads(shown.stdout)}
    assert shown.returncode == 0
    assert sorted(rows) == sorted(ENDS)
    assert {tuple(row) for row in rows.values()} == {ROW_KEYS}
    assert rows["Diverges"]["status"] == "diverged"
    assert rows["Diverges"]["test_accuracy"] is None
    assert (rows["Exits"]["n_seeds"], rows["Exits"]["n_failed"]) == (1, 1)
    assert rows["Exits"]["reason"].startswith("1 of 2 runs failed: crashed: ")
