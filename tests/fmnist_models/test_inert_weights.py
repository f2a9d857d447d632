"""Weights that no image can move: on maps of one pixel, most of a padded 3x3 kernel sees zeros."""

import pytest
import torch
from torch import nn

from fmnist_models import build_model

pytestmark = pytest.mark.usefixtures("one_thread")


def inert_and_all(name: str, size: int) -> tuple[int, int]:
    """Convolution weights whose gradient is exactly zero on random images, and all of them."""
    torch.manual_seed(0)
    model = build_model(name)
    for path in [path for path, m in model.named_modules() if isinstance(m, nn.ReLU)]:
        model.set_submodule(path, nn.LeakyReLU())  # never shut: only padding stops a gradient
    model(torch.rand(8, 1, size, size)).square().sum().backward()
    gradients = [m.weight.grad for m in model.modules() if isinstance(m, nn.Conv2d)]
    found = [gradient for gradient in gradients if gradient is not None]
    return sum(int((g == 0).sum()) for g in found), sum(g.numel() for g in found)


# By hand. A 3x3 kernel with padding 1 and stride 1 on 1x1 maps sees data under its centre alone:
# 8 of 9 taps are inert; with stride 2 from 2x2 maps it sees four: 5 of 9.
PLANE = 512 * 512  # kernels of a convolution of 512 channels
RESNET18_AT_28 = 3 * 8 * PLANE + 5 * 512 * 256  # layer4 ends in 1x1 maps
RESNET50_AT_28 = 2 * 8 * PLANE + 5 * PLANE
# at 16 layer3 ends in 1x1 maps (six blocks of 256), and layer4 has them from the start
RESNET50_AT_16 = 5 * 8 * 256 * 256 + 5 * 256 * 256 + 3 * 8 * PLANE


@pytest.mark.parametrize(
    ("name", "size", "inert", "percent"),
    [
        ("resnet18", 28, RESNET18_AT_28, 62.2),
        ("resnet50", 28, RESNET50_AT_28, 23.5),
        ("resnet50", 16, RESNET50_AT_16, 39.4),
        ("resnet8", 28, 0, 0.0),
    ],
)
def test_share_of_inert_weights(name: str, size: int, inert: int, percent: float) -> None:
    found, everything = inert_and_all(name, size)
    assert found == inert
    assert round(100 * found / everything, 1) == percent
