"""V0, V1 and V2 (R4): three very small networks of ten hidden units, from a PyTorch course."""

from torch import nn

from fmnist_models.registry import register


@register("v0", source="R4")
def v0() -> nn.Module:
    """Two linear layers with nothing between them: a linear classifier."""
    return nn.Sequential(
        nn.Flatten(),  # (B, 784)
        nn.Linear(784, 10),  # (B, 10)
        nn.Linear(10, 10),
    )


@register("v1", source="R4")
def v1() -> nn.Module:
    """V0 with a ReLU after each layer, the logits included."""
    # A class whose logit is negative for every image gets no gradient and is never predicted:
    # published so, kept so, and put right in v1_fixed.
    return nn.Sequential(
        nn.Flatten(),  # (B, 784)
        nn.Linear(784, 10),  # (B, 10)
        nn.ReLU(),
        nn.Linear(10, 10),
        nn.ReLU(),
    )


@register("v1_fixed", variant_of="v1", source="ours")
def v1_fixed() -> nn.Module:
    """V1 without the ReLU on its logits, so that no class dies."""
    return nn.Sequential(
        nn.Flatten(),  # (B, 784)
        nn.Linear(784, 10),  # (B, 10)
        nn.ReLU(),
        nn.Linear(10, 10),
    )


@register("v2", source="R4")
def v2() -> nn.Module:
    """TinyVGG: two blocks of two 3x3 convolutions, ten channels wide."""
    return nn.Sequential(
        nn.Conv2d(1, 10, 3, padding=1),  # (B, 10, 28, 28)
        nn.ReLU(),
        nn.Conv2d(10, 10, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (B, 10, 14, 14)
        nn.Conv2d(10, 10, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(10, 10, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (B, 10, 7, 7)
        nn.Flatten(),  # (B, 490)
        nn.Linear(490, 10),  # (B, 10)
    )
