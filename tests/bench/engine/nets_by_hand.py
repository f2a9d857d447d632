"""Nets of other people, small: each does something that a loop for plain nets stumbles over."""

import torch
from torch import Tensor, nn


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
