"""Every plan trains alike: in float64 on the same batches, losses and BatchNorm buffers agree.

Augmentation and dropout are included: augmentation draws outside the compiled functions, and
Inductor is told to draw dropout as eager code does (`fallback_random`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from bench import RECIPES, Plan, Recipe
from bench.compile_counters import compile_counts
from bench.engine import Engine
from fmnist_models import build_model, list_models, model_info
from tests.training_by_hand import engine_of, random_split, tensors_in

STEPS, CHUNK = 50, 12
RAGGED_AT, NUM_IMAGES = 7, 256
TOLERANCE = 1e-6  # relative; float64 plans agree to about 1e-12, the loader's float32 to 1e-7
QUICK = ("v0", "v2", "resnet8")
LARGE = ("alexnet224",)
ADAMW = replace(
    RECIPES["default"],
    learning_rate=1e-4,
    precision="fp32",
    augment=("flip", "shift2", "cutout4"),
)
NESTEROV = replace(ADAMW, optimizer="sgd", momentum=0.9, nesterov=True, learning_rate=0.01)
CLASSIC = replace(RECIPES["classic"], precision="fp32")
PLANS = ("channels_last", "dataloader", "compile", "channels_last,step")

pytestmark = pytest.mark.usefixtures("_inductor_draws_like_eager")


@pytest.fixture(scope="module")
def _inductor_draws_like_eager() -> Iterator[None]:
    import torch._inductor.config as inductor

    with inductor.patch(fallback_random=True):
        yield


@dataclass(frozen=True)
class Training:
    """What a plan left behind."""

    losses: Tensor
    buffers: list[Tensor]
    weights: Tensor
    slots: list[Tensor]
    in_clock: int


def a_model(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build_model(name).double().train()


def batches(batch_size: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    drawn = [torch.randint(NUM_IMAGES, (batch_size,), generator=generator) for _ in range(STEPS)]
    drawn[RAGGED_AT] = drawn[RAGGED_AT][:-1]  # as at the end of an epoch
    return drawn


def train(name: str, recipe: Recipe, plan: str) -> Training:
    size = model_info(name).input_size
    batch_size = 2 if name in LARGE else 8
    engine = engine_of(a_model(name), recipe, Plan.parse(plan), random_split(NUM_IMAGES, size=size))
    index, rate = batches(batch_size), recipe.learning_rate or 0.0
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
        torch.cat([parameter.detach().flatten() for parameter in model.parameters()]),
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
    assert float((found.weights - eager.weights).norm() / eager.weights.norm()) < TOLERANCE
    for slot, expected in zip(found.slots, eager.slots, strict=True):
        scale = float(expected.double().norm()) or 1.0
        assert float((slot.double() - expected.double()).norm()) < 1e-4 * scale
    assert found.in_clock == 0


@pytest.fixture(scope="module")
def eager_runs() -> dict[tuple[str, str], Training]:
    """Eager trainings, once for all the plans that are held against them."""
    return {}


def eager(runs: dict[tuple[str, str], Training], name: str, recipe: Recipe) -> Training:
    key = name, recipe.optimizer
    if key not in runs:
        runs[key] = train(name, recipe, "contiguous")
    return runs[key]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in list_models()
    ],
)
def test_a_plan_changes_nothing_but_speed(
    name: str, plan: str, eager_runs: dict[tuple[str, str], Training]
) -> None:
    assert_alike(train(name, ADAMW, plan), eager(eager_runs, name, ADAMW))


@pytest.mark.parametrize("recipe", [CLASSIC, NESTEROV], ids=["sgd", "nesterov"])
@pytest.mark.parametrize("plan", ["step", "step:5"])
def test_steps_in_one_call_are_the_same_steps(plan: str, recipe: Recipe) -> None:
    assert_alike(train("v0", recipe, plan), train("v0", recipe, "contiguous"))


def test_the_comparison_sees_a_difference() -> None:
    one = train("v0", CLASSIC, "contiguous")
    other = train("v0", replace(CLASSIC, learning_rate=0.1 * (1 + 1e-4)), "contiguous")
    with pytest.raises(AssertionError):
        assert_alike(other, one)


def test_dropout_is_among_what_is_compared() -> None:
    has_dropout = [
        name
        for name in list_models()
        if any(
            isinstance(module, nn.Dropout) and module.p > 0 for module in a_model(name).modules()
        )
    ]
    assert {"alexnet", "resnet4_dropout", "fashion_cnn"} & set(has_dropout)
