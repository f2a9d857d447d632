"""torchvision's ResNets (R1, R2, R3) with a one-channel stem and ten classes, random weights.

torchvision takes seconds to import, so it is imported only where one of these is built. The layers
put in here start from PyTorch's default initialisation, the others from torchvision's.
"""

from torch import nn

from fmnist_models.registry import register


@register("resnet18", source="R3; same graph in R2")
def resnet18() -> nn.Module:
    """The ResNet-18 of torchvision with a one-channel 7x7 stem."""
    model = _from_torchvision("resnet18")
    model.fc = nn.Linear(512, 10)
    return model


@register("resnet18_3x3", variant_of="resnet18", source="ours")
def resnet18_3x3() -> nn.Module:
    """ResNet-18 that starts at full resolution: a 3x3 stride-1 stem and no max-pool."""
    model = resnet18()
    model.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)  # (B, 64, 28, 28)
    model.maxpool = nn.Identity()
    return model


@register("resnet50", source="R1")
def resnet50() -> nn.Module:
    """The ResNet-50 of torchvision with a one-channel stem and a head of two linear layers."""
    model = _from_torchvision("resnet50")
    model.fc = nn.Sequential(
        nn.Linear(2048, 512),  # (B, 512)
        nn.ReLU(),
        nn.Linear(512, 10),  # (B, 10)
    )
    return model


def _from_torchvision(name: str) -> nn.Module:
    from torchvision import models  # takes 2 to 3 s

    model: nn.Module = models.get_model(name, weights=None)
    model.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)  # (B, 64, 14, 14)
    return model
