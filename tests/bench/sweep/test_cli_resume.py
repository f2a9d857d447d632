"""A sweep killed with SIGKILL in the midst of a training goes on to the same weights."""

import signal
from pathlib import Path

import pytest
import torch

from bench.keep.saved_model import read_saved
from tests.command_line import CPU, PLAN, Finished, Running, bench, read_lines, wait_for

# `calls` is a buffer, and so part of what is saved; step 450 is beyond any warm-up.
MODEL = """
import time
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent

class Waits(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(784, 10)
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, images):
        self.calls += self.training
        if self.training and self.calls == 450:
            (HERE / "training").touch()
            while not (HERE / "go").exists():
                time.sleep(0.02)
        return self.head(self.drop(self.norm(images).flatten(1)))
"""
OPTIONS = (*CPU, *PLAN, "--recipe", "classic", "--budget", "600steps", "--save-every", "100steps")


def command(folder: Path, out: str, *more: str) -> tuple[str | Path, ...]:
    model = ("--models", f"{folder / 'net.py'}:Waits")
    augmented = ("--set", "augment=flip,shift2")
    return "run", *model, *OPTIONS, *augmented, "--out", folder / out, *more


def saved(folder: Path) -> dict[str, torch.Tensor]:
    (path,) = (folder / "checkpoints").glob("*-0-last.pt")
    return dict(read_saved(path).weights)


@pytest.mark.slow
def test_killed_and_gone_on_with_it_ends_with_the_same_weights(
    data_root: Path, tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(MODEL, encoding="utf-8")
    running = Running.start(data_root, tmp_path, *command(tmp_path, "killed"))
    assert running.reaches((tmp_path / "training").exists), running.end().stderr
    assert list((tmp_path / "killed" / "checkpoints").glob("*-0-last.pt"))
    running.signal(signal.SIGKILL, group=True)
    running.end()
    assert wait_for(running.all_gone)
    assert not (tmp_path / "killed" / "records.jsonl").exists()
    (tmp_path / "go").touch()
    resumed, whole = (
        bench(data_root, *command(tmp_path, out, *more))
        for out, more in (("killed", ("--resume",)), ("whole", ()))
    )
    assert_ok(resumed)
    assert_ok(whole)
    (record,) = read_lines(tmp_path / "killed")
    assert record["conditions"]["resumed_at_step"] == 400
    assert "resumed" in record["flags"]
    ones, others = saved(tmp_path / "killed"), saved(tmp_path / "whole")
    assert ones.keys() == others.keys()
    assert all(torch.equal(tensor, others[name]) for name, tensor in ones.items())


def assert_ok(finished: Finished) -> None:
    assert finished.returncode == 0, finished.stderr
