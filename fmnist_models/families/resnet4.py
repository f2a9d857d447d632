"""ResNet-4 (R0): four stages of residual units whose inner part is an Inception block."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fmnist_models.registry import register

# One row a stage: the channels of branches A, B (inner, outer), C (inner, outer) and D.
Widths = tuple[int, tuple[int, int], tuple[int, int], int]
STAGES: tuple[Widths, ...] = (
    (8, (4, 8), (4, 8), 8),  # 32 channels in all
    (16, (16, 32), (8, 16), 16),  # 80
    (32, (32, 64), (32, 64), 32),  # 192
    (64, (64, 128), (32, 64), 64),  # 320
)


@register("resnet4", source="R0")
def resnet4() -> nn.Module:
    """Eight residual units of four parallel branches each, in four stages."""
    return ResNet4(dropout=0.0)


@register("resnet4_dropout", variant_of="resnet4", source="R0, later commit")
def resnet4_dropout() -> nn.Module:
    """ResNet-4 that drops half of the inner channels of its 3x3 and 5x5 branches."""
    return ResNet4(dropout=0.5)


class ResNet4(nn.Module):
    """A stem, four stages of two units, and a linear layer on the average of each channel."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.stages = nn.Sequential()
        channels = 32
        for number, widths in enumerate(STAGES):
            first = InceptionUnit(channels, widths, stride=1 if number == 0 else 2, dropout=dropout)
            channels = first.out_channels
            second = InceptionUnit(channels, widths, stride=1, dropout=dropout)
            self.stages.append(nn.Sequential(first, second))
        self.head = nn.Linear(channels, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 1, 28, 28) to logits (B, 10)."""
        features = self.stages(self.stem(images))  # (B, 32, 14, 14) -> (B, 320, 2, 2)
        logits: Tensor = self.head(features.mean(dim=(2, 3)))  # (B, 320) -> (B, 10)
        return logits


class InceptionUnit(nn.Module):
    """ReLU(BatchNorm(four branches side by side) + shortcut); no branch has a norm of its own."""

    def __init__(self, in_channels: int, widths: Widths, stride: int, dropout: float) -> None:
        super().__init__()
        a, (b, b_out), (c, c_out), d = widths
        self.out_channels = a + b_out + c_out + d
        self.pointwise = nn.Sequential(*_convolution(in_channels, a, 1, stride))
        self.three = _bottleneck(in_channels, b, b_out, 3, stride, dropout)
        self.five = _bottleneck(in_channels, c, c_out, 5, stride, dropout)
        self.pooled = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), *_convolution(in_channels, d, 1, stride)
        )
        self.norm = nn.BatchNorm2d(self.out_channels)
        # Stage 1 keeps its 32 channels, so only a unit with a stride has to fit its shortcut.
        self.shortcut = (
            nn.Identity()
            if stride == 1
            else nn.Conv2d(in_channels, self.out_channels, 1, stride=stride)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, H) to (B, out_channels, H/stride, H/stride)."""
        branches = (self.pointwise, self.three, self.five, self.pooled)
        joined = torch.cat([branch(x) for branch in branches], dim=1)  # (B, out_channels, H/s, H/s)
        return F.relu(self.norm(joined) + self.shortcut(x))


def _bottleneck(
    in_channels: int, inner: int, out_channels: int, size: int, stride: int, dropout: float
) -> nn.Sequential:
    narrow = _convolution(in_channels, inner, 1, stride)
    drop = [nn.Dropout2d(dropout)] if dropout else []
    return nn.Sequential(*narrow, *drop, *_convolution(inner, out_channels, size))


def _convolution(
    in_channels: int, out_channels: int, size: int, stride: int = 1
) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, size, stride=stride, padding=size // 2)
    return [convolution, nn.ReLU()]
