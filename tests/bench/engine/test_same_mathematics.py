"""Every plan trains alike: in float64 on the same batches, losses and BatchNorm buffers agree.

Augmentation and dropout are included: augmentation draws outside the compiled functions, and
Inductor is told to draw dropout as eager code does (`fallback_random`).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench import RECIPES, Plan, Recipe
from bench.engine.engine import Engine
from bench.machine.compilers import compile_counts, find_compiler
from fmnist_models import build_model, list_models, model_info
from tests.bench.train.training_by_hand import engine_of, random_split, tensors_in
from tests.tiers import DEEP, VARIANTS, slow_but

STEPS, CHUNK = 50, 12
RAGGED_AT, NUM_IMAGES = 7, 256
TOLERANCE = 1e-6  # relative; float64 plans agree to about 1e-12
PLANS = ("channels_last", "dataloader", "compile", "channels_last,step")
RAGGED = ("v0", "v2", "resnet8")
QUICK = {  # in the first tier: a net is compiled once a plan, which takes seconds
    *product(("v0", "v2"), ("channels_last", "dataloader")),
    ("v0", "channels_last,step"),
}
# Deep nets with BatchNorm over maps of one pixel are chaotic on small batches: eager NCHW and eager
# NHWC, 1e-14 apart after one step of ResNet-4, are 3 % apart after seven. Batches of 32 and tiny
# steps keep the rounding small; the updates are compared beside the losses, which hardly move.
CHAOTIC = ("resnet4", "resnet4_dropout", "resnet18", "resnet50")
LARGE = ("alexnet224", "resnet18_3x3")
NIGHTLY = {  # a minute or more a case
    *product(DEEP, ("dataloader", "compile", "channels_last,step")),
    *product(VARIANTS, ("compile", "channels_last,step")),
    *product((*LARGE, "resnet50"), ("channels_last",)),
}
NESTEROV = replace(
    RECIPES["default"],
    optimizer="sgd",
    momentum=0.9,
    nesterov=True,
    learning_rate=0.01,
    precision="fp32",
    augment=("flip", "shift2", "cutout4"),
)
ADAMW = replace(NESTEROV, optimizer="adamw", learning_rate=1e-4, momentum=0.0, nesterov=False)
RMSPROP = replace(ADAMW, optimizer="rmsprop", momentum=0.9)
CLASSIC = replace(RECIPES["classic"], precision="fp32")

pytestmark = pytest.mark.usefixtures("_inductor_draws_like_eager")


@pytest.fixture(scope="module")
def _inductor_draws_like_eager() -> Iterator[None]:
    import torch._inductor.config as inductor

    # the last -O counts: with -O3 compiling takes half as long again, for code that runs 50 steps
    compiler = Path(os.environ["FMNIST_CACHE"]) / "compiler" / "g++"
    compiler.parent.mkdir(parents=True, exist_ok=True)
    compiler.write_text(f'#!/bin/sh\nexec {find_compiler() or "g++"} "$@" -O1\n', encoding="utf-8")
    compiler.chmod(0o755)
    with inductor.patch({"fallback_random": True, "cpp.cxx": (None, str(compiler))}):
        yield


@dataclass(frozen=True)
class Training:
    """What a plan left behind."""

    losses: Tensor
    buffers: list[Tensor]
    update: Tensor  # of all weights together, from the first step to the last
    slots: list[Tensor]
    in_clock: int


def a_model(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build_model(name).double().train()


def batches(batch_size: int, *, has_ragged: bool) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    drawn = [torch.randint(NUM_IMAGES, (batch_size,), generator=generator) for _ in range(STEPS)]
    if has_ragged:  # as at the end of an epoch; a shape more to compile
        drawn[RAGGED_AT] = drawn[RAGGED_AT][:-1]
    return drawn


def weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def recipe_for(name: str) -> Recipe:
    return replace(NESTEROV, learning_rate=1e-6) if name in CHAOTIC else NESTEROV


def train(name: str, recipe: Recipe, plan: str) -> Training:
    size = model_info(name).input_size
    batch_size = 32 if name in CHAOTIC else 4 if name in LARGE else 8
    start = weights(a_model(name))
    split = random_split(NUM_IMAGES, size=size)
    engine = engine_of(a_model(name), recipe, Plan.parse(plan), split)
    index, rate = batches(batch_size, has_ragged=name in RAGGED), recipe.learning_rate or 0.0
    rates = [rate * (1 - step / STEPS) for step in range(STEPS)]
    torch.manual_seed(5)
    torch._dynamo.reset()
    losses = run(engine, index[:CHUNK], rates[:CHUNK])  # meets every shape
    before = compile_counts()
    rest = [
        run(engine, index[at : at + CHUNK], rates[at : at + CHUNK])
        for at in range(CHUNK, STEPS, CHUNK)
    ]
    model: nn.Module = engine.model  # type: ignore[attr-defined]
    optimizer: torch.optim.Optimizer = engine.optimizer  # type: ignore[attr-defined]
    return Training(
        torch.cat([losses, *rest]).double(),
        [buffer.double() for buffer in model.buffers()],
        weights(model) - start,
        tensors_in(optimizer.state_dict()["state"]),
        compile_counts().since(before).compilations,
    )


def run(engine: Engine, index: list[Tensor], rates: list[float]) -> Tensor:
    return engine.run(index, rates)


def assert_alike(found: Training, eager: Training) -> None:
    torch.testing.assert_close(found.losses, eager.losses, rtol=TOLERANCE, atol=0)
    assert len(found.buffers) == len(eager.buffers)
    for buffer, expected in zip(found.buffers, eager.buffers, strict=True):
        torch.testing.assert_close(buffer, expected, rtol=TOLERANCE, atol=1e-9)
    assert distance(found.update, eager.update) < TOLERANCE
    assert len(found.slots) == len(eager.slots)
    for slot, expected in zip(found.slots, eager.slots, strict=True):
        assert distance(slot.double(), expected.double()) < TOLERANCE
    assert found.in_clock == 0


def distance(found: Tensor, expected: Tensor) -> float:
    """Relative to what is expected; biases before BatchNorm move by rounding alone."""
    return float((found - expected).norm() / (expected.norm() + 1e-9))


@cache
def eager_run(name: str) -> Training:
    return train(name, recipe_for(name), "contiguous")


@pytest.mark.parametrize(
    ("name", "plan"), slow_but(QUICK, product(list_models(), PLANS), nightly=NIGHTLY)
)
def test_a_plan_changes_nothing_but_speed(name: str, plan: str) -> None:
    assert_alike(train(name, recipe_for(name), plan), eager_run(name))


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [CLASSIC, ADAMW, RMSPROP], ids=["sgd", "adamw", "rmsprop"])
def test_several_steps_in_one_call_are_the_same_steps(recipe: Recipe) -> None:
    assert_alike(train("v0", recipe, "step:5"), train("v0", recipe, "contiguous"))


def test_the_comparison_sees_a_difference() -> None:
    one = train("v0", CLASSIC, "contiguous")
    other = train("v0", replace(CLASSIC, learning_rate=0.1 * (1 + 1e-4)), "contiguous")
    with pytest.raises(AssertionError):
        assert_alike(other, one)


def test_dropout_is_among_what_is_compared() -> None:
    has_dropout = [
        name
        for name in list_models()
        if any(isinstance(module, nn.Dropout | nn.Dropout2d) for module in a_model(name).modules())
    ]
    assert {"alexnet", "resnet4_dropout", "fashion_cnn"} <= set(has_dropout)
