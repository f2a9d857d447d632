"""A pass through a model that leaves no trace, whatever the model keeps, makes or draws."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmnist_models.users.unchanged import attributes_unchanged, unchanged
from tests.fmnist_models.nets_by_hand import HARD_TO_COPY, Buffers, KeepsFeatures, Plain

pytestmark = pytest.mark.usefixtures("one_thread")
IMAGES, LABELS = torch.rand(4, 1, 8, 8), torch.tensor([1, 2, 3, 4])


def take_pass(model: nn.Module) -> None:
    F.cross_entropy(model(IMAGES), LABELS).backward()


def all_of(model: nn.Module) -> list[Any]:
    """Which objects each module has, with the values of the tensors among them."""
    of_numpy = np.random.get_state(legacy=False)
    found: list[Any] = [random.getstate(), str(of_numpy), torch.get_rng_state()]
    for name, module in model.named_modules():
        for key, value in sorted(vars(module).items()):
            inside = value.items() if isinstance(value, dict) else ()
            found.append((name, key, id(value), [(k, id(v)) for k, v in inside]))
            found += [v.detach().clone() for v in (value, *dict(inside).values()) if is_leaf(v)]
            found += [value.get_state()] if isinstance(value, torch.Generator) else []
        found.append((name, module.training, [p.requires_grad for p in module.parameters()]))
    return found


def is_leaf(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_leaf


def assert_same(found: list[Any], before: list[Any]) -> None:
    assert len(found) == len(before)
    for one, other in zip(found, before, strict=True):
        assert torch.equal(one, other) if isinstance(one, Tensor) else one == other


@pytest.mark.parametrize("build", HARD_TO_COPY.values(), ids=HARD_TO_COPY)
@pytest.mark.parametrize("trained", [0, 2])
def test_a_training_pass_leaves_no_trace(build: Callable[[], nn.Module], trained: int) -> None:
    model = build()
    for _ in range(trained):
        take_pass(model)
    gradients = [parameter.grad for parameter in model.parameters()]
    before = all_of(model)
    with unchanged(model):
        assert all(parameter.grad is None for parameter in model.parameters())
        for _ in range(2):
            take_pass(model.train())
    assert_same(all_of(model), before)
    assert [p.grad for p in model.parameters()] == gradients or trained
    assert all(p.grad is g for p, g in zip(model.parameters(), gradients, strict=True))


def test_it_is_put_back_where_the_pass_fails() -> None:
    model = Buffers()
    before = all_of(model)

    def fail_half_way() -> None:
        with unchanged(model):
            take_pass(model)
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        fail_half_way()
    assert_same(all_of(model), before)


def test_no_graph_stays_behind_in_what_the_model_keeps() -> None:
    model = KeepsFeatures()
    with unchanged(model):
        take_pass(model)
        assert model.kept is not None
    assert model.kept is None
    assert model.history == []


def test_a_tensor_under_two_names_keeps_its_gradient() -> None:
    model = Plain()
    weight = model.get_parameter("layers.4.weight")
    model.layers[4].register_parameter("twin", weight)
    vars(model)["alias"] = weight
    take_pass(model)
    gradient = weight.grad
    with unchanged(model):
        take_pass(model)
    assert weight.grad is gradient


def test_a_tensor_that_was_given_other_memory_has_its_values_again() -> None:
    model = Plain()
    weight = model.get_parameter("layers.4.weight")
    before = weight.detach().clone()
    with unchanged(model):
        weight.data = torch.zeros(3, dtype=torch.float64)
    assert torch.equal(weight, before)


def test_attributes_alone_leave_values_and_gradients() -> None:
    model = Buffers()
    with attributes_unchanged(model):
        take_pass(model)
    assert not hasattr(model, "made")
    assert model.none is None
    assert model.get_parameter("layers.0.weight").grad is not None
    assert int(model.get_buffer("layers.1.num_batches_tracked")) == 1


def test_a_scripted_model_is_put_back_too() -> None:
    with pytest.warns(FutureWarning, match="script"):
        model: nn.Module = torch.jit.script(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with unchanged(model):
        model(torch.rand(4, 3)).sum().backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
