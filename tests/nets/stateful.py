"""Nets with a memory: averages of themselves, counters, random numbers of their own."""

import copy
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def small():
    """A plain convolutional net that the others wrap."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(392, 10)
    )


class Averaged(nn.Module):
    """Answers by an exponential average of its weights in eval mode (torch's AveragedModel)."""

    def __init__(self):
        super().__init__()
        self.net = small()
        self.average = AveragedModel(self.net, multi_avg_fn=get_ema_multi_avg_fn(0.9))
        self.average.requires_grad_(False)

    def forward(self, x):
        if not self.training:
            return self.average(x)
        self.average.update_parameters(self.net)
        return self.net(x)


class Teacher(nn.Module):
    """A mean teacher by hand, whose answers pull on the student: x + (teacher - x) detached."""

    def __init__(self, decay=0.99):
        super().__init__()
        self.student, self.decay = small(), decay
        self.teacher = copy.deepcopy(self.student)
        for p in self.teacher.parameters():
            p.requires_grad = False

    @torch.no_grad()
    def update(self):
        for mine, its in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mine.data.mul_(self.decay).add_(its.data, alpha=1 - self.decay)

    def forward(self, x):
        if self.training:
            self.update()
        with torch.no_grad():
            soft = self.teacher(x)
        return 0.9 * self.student(x) + 0.1 * soft


class Counts(nn.Module):
    """Counts its steps in a buffer, and warms the temperature of its logits up by it."""

    def __init__(self):
        super().__init__()
        self.net = small()
        self.register_buffer("step", torch.zeros((), dtype=torch.long))
        self.register_buffer("scale", torch.ones(1), persistent=False)

    def forward(self, x):
        if self.training:
            self.step += 1
        warm = (self.step / 100).clamp(max=1.0)
        return self.net(x) * (0.5 + 0.5 * warm) * self.scale


class CountsInPython(nn.Module):
    """The same by a plain integer; switches a dropout on after 20 steps."""

    def __init__(self):
        super().__init__()
        self.net = small()
        self.step = 0

    def forward(self, x):
        if self.training:
            self.step += 1
        if self.training and self.step > 20:
            x = F.dropout(x, 0.1)
        return self.net(x)


class Replaces(nn.Module):
    """A running mean that is assigned anew at each step, not changed in place."""

    def __init__(self):
        super().__init__()
        self.net = small()
        self.register_buffer("mean", torch.zeros(1, 1, 28, 28))

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0, keepdim=True)
        return self.net(x - self.mean)


class Grows(nn.Module):
    """Adds a block after 30 steps, as progressive growing does."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, 2, 1)
        self.blocks = nn.ModuleList([nn.Conv2d(8, 8, 3, 1, 1) for _ in range(3)])
        self.head = nn.Linear(8, 10)
        self.active, self.calls = 1, 0

    def forward(self, x):
        if self.training:
            self.calls += 1
            self.active = min(3, 1 + self.calls // 30)
        x = F.relu(self.stem(x))
        for block in self.blocks[: self.active]:
            x = x + F.relu(block(x))
        return self.head(x.mean((2, 3)))


class OwnGenerator(nn.Module):
    """Dropout by a generator of its own, so that it is the same in every run."""

    def __init__(self, p=0.2):
        super().__init__()
        self.net, self.p = small(), p
        self.generator = torch.Generator().manual_seed(7)

    def forward(self, x):
        if self.training:
            keep = torch.rand(x.shape, generator=self.generator).to(x.device) >= self.p
            x = x * keep / (1 - self.p)
        return self.net(x)


class NumpyNoise(nn.Module):
    """Augments inside by NumPy's and Python's random numbers, and draws its weights by them."""

    def __init__(self):
        super().__init__()
        self.net = small()
        with torch.no_grad():
            weight = np.random.normal(0, 0.05, self.net[4].weight.shape)
            self.net[4].weight.copy_(torch.from_numpy(weight))

    def forward(self, x):
        if self.training:
            x = torch.roll(x, (random.randint(-1, 1), random.randint(-1, 1)), dims=(2, 3))
            noise = np.random.normal(0, 0.02, x.shape).astype(np.float32)
            x = x + torch.from_numpy(noise).to(x.device)
        return self.net(x)
