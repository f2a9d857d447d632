"""A model of your own: `fmnist-bench run --models v2,./examples/tiny_net.py:TinyNet`."""

import torch
from torch import nn


class TinyNet(nn.Module):
    """Two strided convolutions and a linear layer on the average of each channel."""

    input_size = 28  # pixels a side; 28 is also what is assumed where this line is missing

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),  # (B, 16, 14, 14)
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),  # (B, 32, 7, 7)
            nn.ReLU(),
        )
        self.head = nn.Linear(32, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 28, 28) float32 to logits (B, 10), with no softmax."""
        logits: torch.Tensor = self.head(self.features(images).mean(dim=(2, 3)))
        return logits
