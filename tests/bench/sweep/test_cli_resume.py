"""A sweep killed with SIGKILL in the midst of a training goes on to the same weights."""

import signal
from pathlib import Path

import pytest
import torch

from bench.keep.saved_model import read_saved
from tests.bench.keep.resume_by_hand import assert_same
from tests.bench.workers.models_by_hand import write_models
from tests.command_line import CPU, PLAN, Running, bench, read_lines, wait_for

MODEL = """
class Waits(Net):
    due = 450  # beyond any warm-up; `calls` is a buffer, and so part of what is saved

    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.BatchNorm1d(784), nn.Dropout(0.2), nn.Linear(784, 10))

    def meet(self, logits):
        (HERE / "training").touch()
        while not (HERE / "go").exists():
            time.sleep(0.02)
        return logits
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
    write_models(tmp_path / "net.py", MODEL)
    running = Running.start(data_root, tmp_path, *command(tmp_path, "killed"))
    assert running.reaches((tmp_path / "training").exists), running.end().stderr
    assert list((tmp_path / "killed" / "checkpoints").glob("*-0-last.pt"))
    running.signal(signal.SIGKILL, group=True)
    running.end()
    assert wait_for(running.all_gone)
    assert not (tmp_path / "killed" / "records.jsonl").exists()
    (tmp_path / "go").touch()
    for out, more in (("killed", ("--resume",)), ("whole", ())):
        done = bench(data_root, *command(tmp_path, out, *more))
        assert done.returncode == 0, done.stderr
    (record,) = read_lines(tmp_path / "killed")
    assert record["conditions"]["resumed_at_step"] == 400
    assert "resumed" in record["flags"]
    assert_same(saved(tmp_path / "killed"), saved(tmp_path / "whole"))
