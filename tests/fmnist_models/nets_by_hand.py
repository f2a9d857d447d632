"""Nets of other people, small: each does something that a loop for plain nets stumbles over."""

import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def layers() -> nn.Sequential:
    """Fits (B, 1, 8, 8) -> (B, 10)."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),  # BatchNorm takes it out again
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 8 * 8, 10),
    )


class TwoHeads(nn.Module):
    """Has an auxiliary head, and returns it too while it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.layers, self.head = layers(), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return logits (B, 10), in training beside those of the other head."""
        logits: Tensor = self.layers(x)
        return (logits, self.head(x.flatten(1))) if self.training else logits


class Plain(nn.Module):
    """The layers and nothing else."""

    input_size = 8

    def __init__(self) -> None:
        super().__init__()
        self.layers = layers()

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        logits: Tensor = self.layers(x)
        return logits


class KeepsFeatures(Plain):
    """Keeps its last logits for a penalty, and all of them in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Tensor | None = None
        self.history: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        self.kept = super().forward(x)
        self.history.append(self.kept)
        return self.kept


class Locked(Plain):
    """Counts its calls under a lock."""

    def __init__(self) -> None:
        super().__init__()
        self.lock, self.calls = threading.Lock(), 0

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        with self.lock:
            self.calls += 1
        return super().forward(x)


class Buffers(Plain):
    """Has buffers that are made, replaced and grown while it trains, and a plain tensor."""

    none: Tensor | None
    made: Tensor
    bank: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("none", None)
        self.register_buffer("bank", torch.zeros(0, 10))
        self.mean = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        logits = super().forward(x)
        if self.training:
            if not hasattr(self, "made"):
                self.register_buffer("made", torch.zeros(10))
            self.made = self.made + logits.detach().mean(0)
            self.none = logits.detach().mean(0)
            self.bank = torch.cat([self.bank, logits.detach()])[-64:]
            self.mean.mul_(0.9).add_(logits.detach().mean())
        return logits


class Draws(Plain):
    """Draws from every generator that there is."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(0)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        own = torch.rand((), generator=self.generator)
        noise = float(own) + random.random() + np.random.rand() + float(torch.rand(()))
        return super().forward(x + noise)


class Thaws(Plain):
    """Freezes its head in its first pass, and clips its weights."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        self.get_parameter("layers.4.weight").requires_grad_(False)
        with torch.no_grad():
            self.get_parameter("layers.0.weight").clamp_(-0.01, 0.01)
        self.layers[1].eval()
        return super().forward(x)


def spectral() -> nn.Module:
    """Spectral norm by torch's old hooks, which keep a weight that is no leaf."""
    net = layers()
    torch.nn.utils.spectral_norm(net[0])
    return net


class Checkpointed(Plain):
    """Computes its activations again in the backward pass, in place, by a function of its own."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        logits: Tensor = checkpoint(super().forward, x, use_reentrant=False)
        logits += 1
        return Clamp.apply(logits)  # type: ignore[no-any-return]


class Clamp(torch.autograd.Function):
    """Keeps what is positive."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401
        """Return max(x, 0)."""
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        """Return the gradient where x is positive."""
        found: Tensor = gradient * (ctx.saved_tensors[0] > 0)
        return found


HARD_TO_COPY: dict[str, Callable[[], nn.Module]] = {
    "keeps features": KeepsFeatures,
    "locked": Locked,
    "buffers": Buffers,
    "draws": Draws,
    "thaws": Thaws,
    "spectral": spectral,
    "checkpointed": Checkpointed,
}


class Attributes(Plain):
    """Normalises by a running mean and a mask that are plain attributes, and by a global."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.mask = torch.zeros((), dtype=torch.float64), torch.ones(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean()
        return super().forward(x * self.mask * SCALE.to(x) - self.mean)


class InPlace(Attributes):
    """The same, its mean changed in place."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        if self.training:
            self.mean.mul_(0.9).add_(0.1 * x.detach().mean())
        return self.layers(x - self.mean)  # type: ignore[no-any-return]


class Replaces(Plain):
    """Puts another tensor in the place of a buffer at each pass."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean()
        return super().forward(x - self.mean)


class Schedule(Plain):
    """Computes by the number of its training passes."""

    def __init__(self) -> None:
        super().__init__()
        self.passes = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        self.passes += self.training
        return super().forward(x * min(1.0, self.passes / 10))


class ListedMean(Plain):
    """Changes a tensor in a list in place."""

    def __init__(self) -> None:
        super().__init__()
        self.means = [torch.zeros(())]

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        self.means[0].mul_(0.9).add_(0.1 * x.detach().mean())
        return super().forward(x - self.means[0])


class Decides(Plain):
    """Decides in Python by what it has computed."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        logits = super().forward(x)
        return logits * 2 if logits.mean().item() > 0 else logits


class Numpy(Plain):
    """Goes through NumPy."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        return super().forward(x - float(x.detach().numpy().mean()))


SCALE = torch.tensor(0.5)


class WithState(Plain):
    """Has a state of its own beside tensors."""

    def get_extra_state(self) -> dict[str, int]:
        """Return what is no tensor."""
        return {"version": 1}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Take it."""
