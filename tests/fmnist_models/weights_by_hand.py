"""Models with known weights for tests, and how two sets of weights differ."""

import pytest
import torch
from torch import Tensor, nn

from fmnist_models import ModelError, build_model
from fmnist_models.pretrained import Start, start_from

Tensors = dict[str, Tensor]
HEAD_RANDOM = Start(True, "at random: head")


def states(model: nn.Module) -> Tensors:
    return {key: tensor.clone() for key, tensor in model.state_dict().items()}


def unlike(a: Tensors, b: Tensors) -> set[str]:
    """Keys under which two state dicts differ, or only one has a tensor of that shape."""
    return {
        key
        for key in a.keys() | b.keys()
        if key not in a or key not in b or not torch.equal(a[key], b[key])
    }


def built(name: str) -> nn.Module:
    torch.manual_seed(1)
    return build_model(name)


def saved(content: object, file: str = "weights.pth") -> str:
    torch.save(content, file)
    return file


def refusal_of(name: str, weights: str) -> str:
    """What is said; the model must be as it was."""
    model = built(name)
    before = states(model)
    with pytest.raises(ModelError) as refusal:
        start_from(model, name, weights, "rgb_sum")
    assert "\n" not in str(refusal.value)
    assert not unlike(states(model), before)
    return str(refusal.value)
