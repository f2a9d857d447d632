"""AlexNet: the original skeleton of five convolutions, three pools and three linear layers.

R0 names an AlexNet and ships an empty file, so both forms are our choice: that of the d2l book,
from which the rest of R0 derives, and one for 28x28 images, on which the book's form cannot run.
"""

from torch import nn

from fmnist_models.registry import register


@register("alexnet", source="R0 by name; ours")
def alexnet() -> nn.Module:
    """AlexNet-28: a 5x5 stride-1 stem, half of AlexNet's channels, 512-wide linear layers."""
    stem = nn.Conv2d(1, 48, 5, padding=2)  # (B, 48, 28, 28), pooled to 13, 6 and 2
    return _build(stem, widths=(48, 128, 192, 192, 128), num_features=512, hidden=512)


@register("alexnet224", input_size=224, variant_of="alexnet", source="d2l")
def alexnet224() -> nn.Module:
    """AlexNet at full width on images enlarged to 224x224, as in the d2l book."""
    stem = nn.Conv2d(1, 96, 11, stride=4)  # (B, 96, 54, 54), pooled to 26, 12 and 5
    return _build(stem, widths=(96, 256, 384, 384, 256), num_features=6400, hidden=4096)


def _build(stem: nn.Module, widths: tuple[int, ...], num_features: int, hidden: int) -> nn.Module:
    c1, c2, c3, c4, c5 = widths
    return nn.Sequential(
        stem,  # (B, c1, H, H), H 28 or 54
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),  # H 13 or 26
        nn.Conv2d(c1, c2, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),  # H 6 or 12
        nn.Conv2d(c2, c3, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(c3, c4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(c4, c5, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),  # (B, c5, H, H), H 2 or 5
        nn.Flatten(),  # (B, num_features)
        nn.Linear(num_features, hidden),  # (B, hidden)
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(hidden, 10),  # (B, 10)
    )
