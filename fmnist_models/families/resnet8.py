"""ResNet-8 (R2): a small residual network that adds without rectifying the sum."""

from torch import Tensor, nn
from torch.nn import functional as F

from fmnist_models.registry import register


@register("resnet8", source="R2")
def resnet8() -> nn.Module:
    """Three basic residual blocks at 28, 14 and 7 pixels, with no ReLU after the addition."""
    return ResNet8(is_sum_rectified=False)


@register("resnet8_postrelu", variant_of="resnet8", source="ours")
def resnet8_postrelu() -> nn.Module:
    """ResNet-8 with the usual ReLU after each addition."""
    return ResNet8(is_sum_rectified=True)


class ResNet8(nn.Module):
    """One stem convolution, three blocks of two, one linear layer: eight layers deep."""

    def __init__(self, is_sum_rectified: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        )
        self.blocks = nn.Sequential(
            BasicBlock(16, 16, 1, is_sum_rectified),  # (B, 16, 28, 28)
            BasicBlock(16, 32, 2, is_sum_rectified),  # (B, 32, 14, 14)
            BasicBlock(32, 64, 2, is_sum_rectified),  # (B, 64, 7, 7)
        )
        self.head = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 1, 28, 28) to logits (B, 10)."""
        features = self.blocks(self.stem(images))  # (B, 16, 28, 28) -> (B, 64, 7, 7)
        logits: Tensor = self.head(features.mean(dim=(2, 3)))  # (B, 64) -> (B, 10)
        return logits


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, itself a 1x1 convolution where the shape changes."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, is_sum_rectified: bool
    ) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut = nn.Sequential()  # empty: the input itself
        if stride != 1:
            self.shortcut.append(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(out_channels))
        self.is_sum_rectified = is_sum_rectified

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, H) to (B, out_channels, H/stride, H/stride)."""
        total: Tensor = self.residual(x) + self.shortcut(x)
        return F.relu(total) if self.is_sum_rectified else total
