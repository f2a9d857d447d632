"""A net whose training has all kinds of state: BatchNorm's buffers, dropout's draws, momentum.

A saved run names this file and its hash: it can neither move nor change without a new saved run.
"""

import torch
from torch import nn


class SmallNet(nn.Module):
    """Mean brightness of 49 tiles, normalised, with dropout, into ten classes."""

    def __init__(self) -> None:
        super().__init__()
        self.tiles = nn.AvgPool2d(4)
        self.norm = nn.BatchNorm2d(1)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(49, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (B, 10) of images (B, 1, 28, 28)."""
        logits: torch.Tensor = self.head(self.drop(self.norm(self.tiles(images)).flatten(1)))
        return logits
