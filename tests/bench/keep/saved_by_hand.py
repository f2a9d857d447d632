"""A V0 that has learnt enough to be asked, in a fraction of a second; and saved models of it."""

from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from bench.keep.saved_model import SavedModel, saved_model_of
from bench.spec.named_recipes import CLASSIC
from data_pipeline import FashionMNIST, load_fashion_mnist, normalize
from fmnist_models import build_model


@cache
def fashion_mnist(data_root: Path) -> FashionMNIST:
    """The data set, read once for all tests."""
    return load_fashion_mnist(data_root, fetch=False)


@cache
def trained_v0(data_root: Path) -> nn.Module:
    """V0 after one pass over a third of the training images, in eval mode."""
    data = fashion_mnist(data_root)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_model("v0")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in torch.arange(20_000).split(50):
        logits = model(normalize(data.train_images[batch], "unit"))
        optimizer.zero_grad()
        F.cross_entropy(logits, data.train_labels[batch]).backward()
        optimizer.step()
    return model.eval()


@torch.inference_mode()
def answers(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The predicted classes (B,) of images (B, 1, 28, 28) uint8."""
    return model(normalize(images, "unit")).argmax(dim=1)  # type: ignore[no-any-return]


def saved_v0(data_root: Path) -> SavedModel:
    """The trained V0 as the harness would save it."""
    trained = {"budget": "20000images", "seed": 0, "which": "last"}
    return saved_model_of(trained_v0(data_root), name="v0", recipe=CLASSIC, trained=trained)
