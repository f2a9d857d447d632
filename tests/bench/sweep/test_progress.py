"""Progress on stderr: silent in a pipe, a line a run on a terminal."""

import io
import sys
from dataclasses import replace
from typing import Any

import pytest

from bench.sweep.progress import ProgressBars, describe_record, describe_run
from bench.sweep.sweep import checked_progress
from bench.train.training import Progress
from bench.workers.messages import MAX_SHOWN_CHARS
from tests.results.records_by_hand import make_record

TRAINING = Progress(fraction=0.25, images_seen=5000, seconds=2.0, loss=0.6931)


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        """Always."""
        return True


def shown(*, is_quiet: bool = False) -> ProgressBars:
    with ProgressBars("runs", total=4, num_done=1, is_quiet=is_quiet) as bars:
        bars.show("[v0] · seed 1 · warm-up", None)
        bars.show(*describe_run(1, "train", TRAINING))
        bars.done("v0 · seed 1: diverged: nan at [step] 7")
        bars.done("v0 · seed 2: done")
    return bars


def test_nothing_is_written_into_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    bars = shown()
    assert capfd.readouterr() == ("", "")
    assert bars.num_done == 3


@pytest.mark.parametrize("is_quiet", [False, True])
def test_a_terminal_sees_every_run_and_quiet_bars_draw_when_told_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], is_quiet: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bars = shown(is_quiet=is_quiet)
    text = terminal.getvalue()
    assert "v0 · seed 1: diverged: nan at [step] 7" in text
    assert "v0 · seed 2: done" in text
    assert ("[v0] · seed 1 · warm-up" in text) == is_quiet
    assert capfd.readouterr().out == ""
    assert bars.bars.live.auto_refresh != is_quiet


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, "2,500 images/s, loss 0.693, 6 s left"),
        ({"fraction": 0.02}, "2,500 images/s, loss 0.693, 98 s left"),
        ({"fraction": 0.01}, "2,500 images/s, loss 0.693"),
        ({"fraction": 1.1}, "2,500 images/s, loss 0.693, 0 s left"),
        ({"seconds": 0.0}, ""),
        ({"loss": float("nan")}, "2,500 images/s, loss nan, 6 s left"),
        ({"loss": 1e300}, f"2,500 images/s, loss {1e300:.3f}"[:MAX_SHOWN_CHARS]),
    ],
)
def test_the_line_of_a_training(changes: dict[str, Any], note: str) -> None:
    progress = TRAINING._replace(**changes)
    told = describe_run(3, "train", progress)
    assert told == ("seed 3 · train", min(progress.fraction, 1.0), note)
    assert checked_progress(list(told)) == told, "a parent takes it"
    assert describe_run(3, "warm-up", None) == ("seed 3 · warm-up", None, "")


def test_the_line_of_a_run() -> None:
    record = make_record("v0", 1, values={"test_accuracy": 0.8425, "train_time": 3.21})
    assert describe_record(record, "v0") == "v0 · seed 1: 84.25 % after 3.2 s of training"
    failed = replace(record, measurements={}, status="crashed", reason="why")
    assert (
        describe_record(failed, "v0 (batch_size=64)") == "v0 (batch_size=64) · seed 1: crashed: why"
    )
