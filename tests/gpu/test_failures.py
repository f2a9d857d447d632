"""On a GPU: whatever a model does to it is a row, and the next one finds device and memory free."""

from pathlib import Path

import pytest
import torch

from tests.command_line import PLAN, Running, read_lines

pytestmark = pytest.mark.gpu
DEVICE = "cuda:0"
TIMEOUT_S = 30  # a context on a cold driver takes its time
# Trouble comes at step 70, beyond the warm-up (55 steps at most), which puts `calls` back. Each
# process notes how much memory it finds free, before it takes any for itself.
MODELS = """
import os
import signal
from pathlib import Path

import torch
from torch import nn

FREE = Path(__file__).with_name("free.txt")
noted = []

def note_free_memory(device):
    if device.type == "cuda" and not noted:
        noted.append(True)
        free, total = torch.cuda.mem_get_info()
        with FREE.open("a") as file:
            file.write(f"{os.getpid()} {free / total}\\n")

def most_bytes():
    return int(0.6 * torch.cuda.mem_get_info()[1])

class Good(nn.Module):
    seeds = (0, 1)

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(784, 10)
        self.register_buffer("calls", torch.tensor(0))
        self.register_buffer("seed", torch.tensor(torch.initial_seed() % 2))

    def forward(self, images):
        note_free_memory(images.device)
        logits = self.head(images.flatten(1))
        self.calls += self.training
        is_due = self.training and self.calls == 70 and int(self.seed) in self.seeds
        return self.misbehave(logits) if is_due else logits

    def misbehave(self, logits):
        return logits

class Hungers(Good):  # has most of the memory when it asks for more
    def misbehave(self, logits):
        held = torch.zeros(most_bytes(), dtype=torch.uint8, device=logits.device)
        return logits + held[0] + torch.zeros(2**45, device=logits.device)[0]

class TakesMost(Good):
    def misbehave(self, logits):
        return logits + torch.zeros(most_bytes(), dtype=torch.uint8, device=logits.device)[0]

class Asserts(Good):
    seeds = (0,)
    def misbehave(self, logits):
        return logits + torch.zeros(4, device=logits.device)[logits.argmax().view(1) + 1000]

class IsKilled(Good):
    seeds = (0,)
    def misbehave(self, logits):
        os.kill(os.getpid(), signal.SIGKILL)

class Diverges(Good):
    def misbehave(self, logits):
        return logits * float("nan")

class Loops(Good):
    seeds = (0,)
    def misbehave(self, logits):
        while True:
            logits = logits + 1
"""
STATUSES = {
    "Hungers": ("out_of_memory", "out_of_memory"),
    "TakesMost": ("ok", "ok"),
    "Asserts": ("crashed", "ok"),  # the device is lost to that process alone
    "IsKilled": ("crashed", "ok"),
    "Diverges": ("diverged", "diverged"),
    "Loops": ("timeout", "ok"),
    "Good": ("ok", "ok"),
}


def test_each_failure_is_a_row_and_the_next_model_finds_the_memory_free(
    data_root: Path, tmp_path: Path
) -> None:
    torch.cuda.empty_cache()  # what tests before have left in this process
    path = tmp_path / "models.py"
    path.write_text(MODELS, encoding="utf-8")
    models = ("--models", ",".join(f"{path}:{name}" for name in STATUSES))
    size = ("--budget", "80steps", "--seeds", "2", "--timeout", str(TIMEOUT_S))
    where = (*PLAN, "--device", DEVICE, "--out", tmp_path / "run")
    running = Running.start(data_root, tmp_path, "run", *models, *size, *where, hides_gpus=False)
    finished = running.end()
    assert running.all_gone(), finished.stderr
    found: dict[str, list[str]] = {name: [] for name in STATUSES}
    for record in read_lines(tmp_path / "run"):
        found[record["spec"]["model"].rpartition(":")[2]].append(record["status"])
    assert found == {name: list(both) for name, both in STATUSES.items()}, finished.stderr
    shares = [float(line.split()[1]) for line in (tmp_path / "free.txt").read_text().splitlines()]
    died = sum("crashed" in both or "timeout" in both for both in STATUSES.values())
    assert len(shares) >= len(STATUSES) + died  # the other seed of those has a process of its own
    assert min(shares) > 0.9
