"""Files of models whose training meets something at a step that no warm-up reaches."""

from pathlib import Path

# They behave in eval mode, in which they are checked before the sweep, and in warm-up, which has
# at most 50 steps. `calls` is a buffer, which the warm-up puts back.
NET = """
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no core file in the work tree

class Net(nn.Module):
    seeds = (0, 1, 2)
    due = 55

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(784, 10)
        self.register_buffer("calls", torch.tensor(0))
        self.register_buffer("seed", torch.tensor(torch.initial_seed() % 3))

    def forward(self, images):
        logits = self.head(images.flatten(1))
        self.calls += self.training
        is_due = self.training and self.calls == self.due and int(self.seed) in self.seeds
        return self.meet(logits) if is_due else logits
"""


def write_models(path: Path, classes: str) -> Path:
    """Write a file of subclasses of `Net`, whose `meet` takes logits and returns them, or not."""
    path.write_text(NET + classes, encoding="utf-8")
    return path
