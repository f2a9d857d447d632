"""`run --plan ladder` as a user runs it, with short turns, and `table` over its records."""

import json
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bench.commands.show import where_next
from tests.command_line import (
    CPU,
    Done,
    Finished,
    Running,
    assert_refused,
    bench,
    read_lines,
    values,
)

pytestmark = pytest.mark.slow

# One core, so that no two threads fight over it, and turns too short to measure anything.
SHORT = """
import os, sys
from bench.__main__ import main
from bench.commands import run_ladder
from bench.ladder import ladder, rungs
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
ladder.TURN_S, ladder.ROUNDS = TURN_S, 6
run_ladder.list_rungs = lambda *where, **has: [
    rung for rung in rungs.list_rungs(*where, **has) if rung.name in KEPT
]
main()
"""
TempPaths = pytest.TempPathFactory
SIZE = ("--models", "v0", "--set", "batch_size=32", "--budget", "3epochs", "--plan", "ladder")
MODEL = """
import time
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent

class Waits(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(784, 10)
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, images):
        self.calls += self.training
        if self.training and self.calls == 55:  # beyond any warm-up, which puts buffers back
            (HERE / "training").touch()
            while not (HERE / "go").exists():
                time.sleep(0.02)
        return self.head(images.flatten(1))
"""


def short(*kept: str, turn_s: float = 0.02) -> tuple[str, str]:
    """The program that knows no rungs but these."""
    return "-c", f"KEPT, TURN_S = {kept!r}, {turn_s}\n{SHORT}"


@pytest.fixture(scope="module")
def climb(data_root: Path) -> Callable[..., Finished]:
    """Runs the ladder of v0."""
    program = short("resident", "channels_last", "compile", "auto")
    return partial(bench, data_root, "run", *SIZE, *CPU, program=program)


@pytest.fixture(scope="module")
def climbed(climb: Callable[..., Finished], data_root: Path, tmp_path_factory: TempPaths) -> Done:
    folder = tmp_path_factory.mktemp("ladder") / "run"
    return Done(climb("--out", folder), folder, data_root)


def test_a_ladder_ends_well_and_prints_ratios_and_a_sentence(climbed: Done) -> None:
    assert climbed.finished.returncode == 0, climbed.finished.stderr
    sentences, _, shown = climbed.finished.stdout.partition("Fashion-MNIST, ladder of plans\n")
    assert sentences.startswith("v0: ")
    header, *rest = shown.splitlines()
    assert header.split()[:2] == ["rung", "ratio"]
    assert [line.split()[0] for line in rest[2:5]] == ["resident", "compile", "auto"]
    assert "1.00x" in rest[2]
    assert "batch size 32" in climbed.finished.stdout
    assert "6 rounds, turns of " in climbed.finished.stdout


def test_stderr_says_what_is_run_and_where_it_lies(climbed: Done) -> None:
    lines = [line for line in climbed.finished.stderr.splitlines() if "CUDA_HOME" not in line]
    assert lines[0].startswith("1 model x 3 rungs, 6 rounds of turns of 0.02 s, on cpu (")
    assert lines[1:] == [where_next(climbed.folder)]


def test_every_rung_is_a_record_with_its_raw_turns(climbed: Done) -> None:
    records = read_lines(climbed.folder)
    assert [record["spec"]["rung"] for record in records] == ["resident", "compile", "auto"]
    for record in records:
        assert len(values(record, "throughput")) == 6
        assert values(record, "budget_images") == [3 * 53_984]  # whole batches
        assert min(values(record, "turn_seconds")) > 0
        assert values(record, "compile_time")[0] > 0
        assert values(record, "floor")[0] > 0
        assert record["conditions"]["limit"]["binds"] in {"compute", "bandwidth", "latency"}
        assert values(record, "turn_images") == [32 * values(record, "turn_steps")[0]] * 6
    chosen = records[2]["spec"]["plan"]
    assert chosen.startswith("resident,contiguous,")
    assert {record["spec"]["requested_plan"] for record in records} == {"ladder"}


def test_table_shows_again_what_run_showed(climbed: Done) -> None:
    again = climbed.table()
    assert (again.returncode, again.stdout, again.stderr) == (0, climbed.finished.stdout, "")


def test_ladders_stand_alone_in_a_table(climbed: Done, tmp_path: Path) -> None:
    line = (climbed.folder / "records.jsonl").read_text(encoding="utf-8").splitlines()[0]
    record = json.loads(line)
    record |= {"record_id": "f" * 16, "spec": record["spec"] | {"requested_plan": "auto"}}
    (tmp_path / "records.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    shown = climbed.table(tmp_path)
    assert shown.stdout == climbed.finished.stdout
    assert shown.stderr == "1 records of ordinary runs left out: a ladder stands alone\n"
    assert_refused(climbed.table("--sort", "loss"), "leave --by and --sort out")


def test_a_complete_ladder_is_not_measured_again(
    climbed: Done, climb: Callable[..., Finished]
) -> None:
    before = (climbed.folder / "records.jsonl").read_bytes()
    run = partial(climb, "--out", climbed.folder)
    again = run("--resume")
    assert (again.returncode, again.stdout) == (0, climbed.finished.stdout)
    assert (climbed.folder / "records.jsonl").read_bytes() == before
    assert_refused(run("--set", "momentum=0.5", "--resume"), "another specification")
    assert_refused(run(), "already holds 3 records; add --resume")


def test_ctrl_c_shows_what_there_is_and_resume_measures_anew(
    data_root: Path, tmp_path: Path
) -> None:
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    size = ("--models", f"{tmp_path}/model.py:Waits", "--budget", "3epochs", "--plan", "ladder")
    arguments = ("run", *size, *CPU, "--out", tmp_path / "run")
    # more than 55 steps a turn on a busy machine too
    program = short("resident", turn_s=0.5)
    running = Running.start(data_root, tmp_path / "said", *arguments, program=program)
    assert running.reaches((tmp_path / "training").exists)
    for _ in range(2):
        running.signal(signal.SIGINT, group=True)
        assert running.reaches(lambda: running.says("current round"))
    finished = running.end()
    assert finished.returncode == 130
    assert "Traceback" not in finished.stderr
    (tmp_path / "go").touch()
    resumed = bench(data_root, *arguments, "--resume", program=short("resident"))
    assert resumed.returncode == 0, resumed.stderr
    assert "interrupted" not in resumed.stdout
    assert read_lines(tmp_path / "run")[-1]["status"] == "ok"
