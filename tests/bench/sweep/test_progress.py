"""Progress on stderr: silent in a pipe, a line a run on a terminal."""

import io
import sys
from dataclasses import replace

import pytest

from bench import RECIPES, Budget, RunSpec
from bench.sweep.progress import LadderProgress, SweepProgress, describe, describe_record
from results import RunRecord
from tests.results.records_by_hand import make_record

SPEC = RunSpec(model="v0", recipe=RECIPES["default"], budget=Budget(3, "epochs"))
TRAINING = {"fraction": 0.25, "images_seen": 5000, "seconds": 2.0, "loss": 0.6931}
OK = make_record("v0", 1, values={"test_accuracy": 0.8425, "train_time": 3.21})
DIVERGED = make_record("v0", 2, status="diverged", reason="nan at [step] 7")


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        """Always."""
        return True


def sweep(*records: RunRecord) -> SweepProgress:
    with SweepProgress(num_runs=4, num_done=1) as progress:
        for phase, values in (("warm-up", None), ("train", TRAINING)):
            progress.report(SPEC, {"seed": 1, "phase": phase, "progress": values})
        for record in records:
            progress.done(record)
    return progress


def test_nothing_is_written_into_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    progress = sweep(OK, DIVERGED)
    assert capfd.readouterr() == ("", "")
    assert progress.num_done == 3


def test_a_terminal_sees_every_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    sweep(OK, DIVERGED)
    text = terminal.getvalue()
    assert "v0 · seed 1: 84.25 % after 3.2 s of training" in text
    assert "v0 · seed 2: diverged: nan at [step] 7" in text
    assert capfd.readouterr().out == ""


def test_an_error_inside_comes_through() -> None:
    with pytest.raises(KeyError), SweepProgress(1):
        raise KeyError


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "2,500 images/s, loss 0.693, 6 s left"),
        ({"fraction": 0.01}, "2,500 images/s, loss 0.693"),
        ({"fraction": 1.1}, "2,500 images/s, loss 0.693, 0 s left"),
        ({"seconds": 0.0}, ""),
    ],
)
def test_the_line_of_a_training(changes: dict[str, float], text: str) -> None:
    assert describe(TRAINING | changes) == text


def test_a_record_without_an_accuracy_tells_its_status() -> None:
    record = replace(OK, measurements={}, status="crashed", reason="why")
    assert describe_record(record) == "v0 · seed 1: crashed: why"


def climb(*models: str) -> LadderProgress:
    with LadderProgress(num_models=3, num_done=1) as progress:
        for model in models:
            progress.reporter(model)("step · warm-up", 0.25)
            progress.done(model)
    return progress


def test_a_ladder_writes_nothing_into_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    assert climb("v0", "v1").num_done == 3
    assert capfd.readouterr() == ("", "")


def test_a_terminal_sees_where_a_ladder_is_and_nothing_draws_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = climb("[v0]")
    assert "[v0] · step · warm-up" in terminal.getvalue()
    assert "[v0]: done" in terminal.getvalue()
    assert progress.bars is not None
    assert not progress.bars.live.auto_refresh
