"""FashionCNN (R3): the well-known Kaggle network of two convolutions and three linear layers."""

from torch import nn

from fmnist_models.registry import register


@register("fashion_cnn", source="R3")
def fashion_cnn() -> nn.Sequential:
    """Two convolutions, then three linear layers with no activation between them."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),  # (B, 32, 28, 28)
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (B, 32, 14, 14)
        nn.Conv2d(32, 64, 3),  # (B, 64, 12, 12)
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (B, 64, 6, 6)
        nn.Flatten(),  # (B, 2304)
        nn.Linear(2304, 600),  # (B, 600)
        nn.Dropout(0.25),  # the original's Dropout2d did just this to a 2-D tensor, and warned
        nn.Linear(600, 120),  # (B, 120)
        nn.Linear(120, 10),  # (B, 10)
    )


@register("fashion_cnn_relu", variant_of="fashion_cnn", source="ours")
def fashion_cnn_relu() -> nn.Sequential:
    """FashionCNN with a ReLU between its linear layers."""
    *convolutions, fc1, dropout, fc2, fc3 = fashion_cnn()
    return nn.Sequential(*convolutions, fc1, nn.ReLU(), dropout, fc2, nn.ReLU(), fc3)
