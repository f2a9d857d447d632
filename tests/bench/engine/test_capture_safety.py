"""What a step does between host and device, seen on tensors of a CUDA device that have no data.

The simulated graphs run on a CPU, where such copies are none. Here nothing is computed, but every
tensor has its device; torch's own backward pass alone needs a real one.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode

from bench import RECIPES, Recipe
from bench.engine.engine import loss_function
from bench.engine.optimizer import make_optimizer, prepare_state, update_rule
from data_pipeline import ResidentSplit
from fmnist_models import build_model, list_models, model_info
from tests.bench.engine.graphs_by_hand import tensors_of, waits
from tests.bench.train.training_by_hand import feed_of

ALL_AUGMENTED = replace(
    RECIPES["default"], learning_rate=1e-3, precision="fp32", augment=("flip", "shift2", "cutout8")
)
BATCH = 8


class Crossing(Exception):  # noqa: N818 - it is what happened
    """A step copies between host and device, or waits for the device."""


REFUSED = (Crossing, DataDependentOutputException, DynamicOutputShapeException)


class Watched(TorchDispatchMode):
    """Refuses whatever a capture would."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        given = tensors_of((args, kwargs))
        is_fused = "_fused_" in func._schema.name  # with a rate on the device it knows no fakes
        result = None if is_fused else func(*args, **(kwargs or {}))
        sides = {tensor.device.type for tensor in (*given, *tensors_of(result)) if tensor.dim()}
        is_strict = is_fused or func._schema.name in {"aten::copy_", "aten::_to_copy"}
        if is_strict:  # elsewhere a number of the host's is an argument like any other
            sides = {tensor.device.type for tensor in (*given, *tensors_of(result))}
        if len(sides) > 1 or waits(func, args):
            raise Crossing(str(func))
        return result


def on_device(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="cuda")


def take_step(model: nn.Module, recipe: Recipe, size: int) -> None:
    """Gather, augmentation, forward, loss and update, all but the backward pass."""
    optimizer = make_optimizer(recipe, model)
    prepare_state(optimizer, update_rule(recipe))
    split = ResidentSplit(
        on_device(64, 1, size, size, dtype=torch.uint8), on_device(64, dtype=torch.int64)
    )
    feed = feed_of(recipe, split=split)
    offsets = on_device(BATCH, 2, dtype=torch.int64)
    drawn = [on_device(BATCH, dtype=torch.bool), offsets, offsets][: len(recipe.augment)]
    index, rate = on_device(BATCH, dtype=torch.int64), on_device()
    for group in optimizer.param_groups:
        group["lr"] = rate
        if "capturable" in group:
            group["capturable"] = True
    with Watched():
        batch = feed.gather(split.images, split.labels, index, tuple(drawn))
        loss = loss_function(model, recipe, "cuda")(*batch)
        assert loss.device.type == "cuda"
        for parameter in model.parameters():
            parameter.grad = torch.empty_like(parameter)
        optimizer.step()


@pytest.mark.parametrize("name", list_models())
def test_no_model_asks_the_host_in_a_step(name: str) -> None:
    with FakeTensorMode():
        with torch.device("cuda"):
            model = build_model(name)
        take_step(model, ALL_AUGMENTED, model_info(name).input_size)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
def test_no_optimizer_asks_the_host_in_a_step(optimizer: str, momentum: float) -> None:
    recipe = replace(RECIPES["default"], learning_rate=1e-3, precision="fp32", augment=())
    if optimizer in {"sgd", "rmsprop"}:
        recipe = replace(recipe, momentum=momentum)
    with FakeTensorMode():
        with torch.device("cuda"):
            model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        take_step(model, replace(recipe, optimizer=optimizer, weight_decay=0.01), 8)


CROSSINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "item": lambda logits: logits * logits.sum().item(),
    "mask": lambda logits: logits[logits > 0].sum() + logits,
    "to the host": lambda logits: logits + logits.cpu().sum().cuda(),
    "from the host": lambda logits: logits + torch.ones(10).to(logits.device),
    "list": lambda logits: logits + logits[0].tolist()[0],
}


@pytest.mark.parametrize("crossing", CROSSINGS.values(), ids=CROSSINGS)
def test_what_a_capture_forbids_is_seen(crossing: Callable[[Tensor], Tensor]) -> None:
    with FakeTensorMode():
        with torch.device("cuda"):
            model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        model.register_forward_hook(lambda _model, _images, logits: crossing(logits))
        with pytest.raises(REFUSED):
            take_step(model, replace(ALL_AUGMENTED, augment=()), 8)
