"""Captured steps on a simulated device: the same training as eager, whatever the recipe."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench import Plan, Recipe
from bench.engine.engine import Engine
from bench.engine.group_engine import GroupEngine
from bench.engine.maker import EngineMaker
from bench.engine.warmup import restored
from fmnist_models.freezing import train_mode
from tests.bench.engine.cuda_by_hand import Simulation, simulate_cuda
from tests.bench.train.training_by_hand import (
    OPTIMIZERS,
    RECIPE,
    engine_of,
    learner_of,
    small_net,
    some_batches,
    tensors_in,
)

ADAMW = replace(RECIPE, optimizer="adamw", weight_decay=0.01, augment=("flip", "shift1"))
RECIPES = {
    **{name: replace(recipe, augment=ADAMW.augment) for name, recipe in OPTIMIZERS.items()},
    "smoothing": replace(ADAMW, label_smoothing=0.1, augment=("cutout4",)),
    "bf16": replace(ADAMW, precision="bf16"),
    "fp16": replace(RECIPE, momentum=0.9, precision="fp16"),
    "fp16, adam": replace(ADAMW, precision="fp16"),
}
# exact in float32, in which a graph has them; zero where a schedule begins or ends
RATES = [0.0, 2**-6, 2**-5, 0.0, 2**-7, 2**-6, 2**-5, 2**-8, 0.0, 2**-9]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> Simulation:
    # whole steps: what is traced is taken for what Inductor would make of it
    monkeypatch.setattr("torch._inductor.compile", lambda graph, _examples, _options: graph)
    return simulate_cuda(monkeypatch)


def made(
    model: nn.Module, plan: str, recipe: Recipe = ADAMW, maker: EngineMaker | None = None
) -> Engine:
    return engine_of(model, recipe, Plan.parse(plan), maker=maker)


def batches(count: int) -> list[Tensor]:
    """Of 8 images, a ragged one of 3 in their midst and one at the end."""
    whole = some_batches(count)
    return [*whole[:5], whole[5][:3], *whole[6:-1], whole[-1][:3]]


def warm(engine: Engine) -> None:
    """Meets every shape, as a session does."""
    with restored(learner_of(engine)):
        for shape in (some_batches(engine.group_steps), some_batches(1), [some_batches(1)[0][:3]]):
            engine.run(shape, [0.25] * len(shape))
    engine.reset()


def state_of(engine: Engine, model: nn.Module) -> list[Tensor]:
    named = [*model.parameters(), *model.buffers()]
    optimizer = engine.optimizer  # type: ignore[attr-defined]
    slots = [t for parameter in named for t in tensors_in(optimizer.state.get(parameter))]
    return [tensor.clone() for tensor in (*named, *slots)]


def trained(plan: str, recipe: Recipe, *, dropout: float = 0.5) -> list[Tensor]:
    """Losses of a warmed engine in two chunks, and all that it trained."""
    model = small_net(dropout=dropout)
    engine = made(model, plan, recipe)
    warm(engine)
    torch.manual_seed(7)
    losses = [engine.run(batches(10), RATES), engine.run(batches(10), RATES[::-1])]
    return [*losses, *state_of(engine, model)]


def assert_alike(found: list[Tensor], expected: list[Tensor], *, is_exact: bool) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.isfinite().all()
        if is_exact:
            assert torch.equal(one, other)
        else:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        *(("graph:4", name) for name in RECIPES),
        *(("graph:1", "adamw"), ("graph:8", "adamw")),  # any length of a group will do
        # what is in such a step, tests/bench/engine/test_same_mathematics.py holds to the eager one
        *(("step,graph:4", name) for name in ("nesterov", "adamw", "rmsprop, momentum")),
    ],
)
def test_captured_steps_train_as_eager_ones(name: str, plan: str, simulation: Simulation) -> None:
    recipe = RECIPES[name]
    assert_alike(
        trained(plan, recipe),
        trained("eager", recipe),
        is_exact="step" not in plan and recipe.optimizer != "rmsprop",
    )


def test_shapes_are_captured_once_on_one_stream_into_one_pool(simulation: Simulation) -> None:
    trained("graph:4", ADAMW)
    _, streams, pools = zip(*simulation.captures, strict=True)
    assert len(streams) == 3  # a group, a step, a ragged step
    assert len(set(streams)) == len(set(pools)) == 1
    assert pools[0] is not None
    trained("graph:4", ADAMW)
    assert len({stream for _, stream, _ in simulation.captures}) == 1


def test_every_rate_has_a_buffer_of_its_own(simulation: Simulation) -> None:
    model = small_net()
    engine = made(model, "graph:4")
    assert isinstance(engine, GroupEngine)
    engine.run(some_batches(4), [0.1] * 4)
    (captured,) = engine.run_group.captured.values()  # type: ignore[attr-defined]
    assert all(rate.data_ptr() % 16 == 0 for rate in captured.buffers[-1])
    assert len({rate.untyped_storage().data_ptr() for rate in captured.buffers[-1]}) == 4
    assert all(len({tensor.dtype for tensor in kind}) == 1 for kind in captured.buffers)


def test_the_scale_of_fp16_backs_off_grows_and_begins_again(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.amp, "GradScaler", partial(torch.amp.GradScaler, growth_interval=3))
    scales, nets = {}, {}
    for plan in ("eager", "graph:4"):
        model = small_net()
        engine = made(model, plan, RECIPES["fp16, adam"])
        steps: Any = engine if plan == "eager" else engine.run_group.advance.__self__  # type: ignore[attr-defined]
        warm(engine)
        scaler = steps.scaler
        seen = [scaler.get_scale()]
        with torch.no_grad():
            model[0].weight.mul_(1e4)  # type: ignore[operator]
        for chunk in range(3):
            if chunk == 1:
                with torch.no_grad():
                    model[0].weight.mul_(1e-4)  # type: ignore[operator]
            engine.run(some_batches(4), RATES[1:5])
            seen.append(scaler.get_scale())
        scales[plan], nets[plan] = seen, state_of(engine, model)
    assert scales["graph:4"] == scales["eager"]
    assert scales["eager"][0] == 2.0**16
    assert min(scales["eager"]) < 2.0**16
    assert scales["eager"][-1] > min(scales["eager"])
    assert_alike(nets["graph:4"], nets["eager"], is_exact=True)


class Unsaved(nn.Module):
    """Counts its batches, and shifts by their mean, in buffers that no state dict has."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.register_buffer("mean", torch.zeros(4, 8, 8), persistent=False)

    def forward(self, images: Tensor) -> Tensor:  # noqa: D102 - torch's own
        self.seen.add_(1)  # type: ignore[operator]
        self.mean.lerp_(images.detach().mean(0), 0.5)  # type: ignore[operator]
        return images.sub(self.mean)  # type: ignore[arg-type]


@pytest.mark.parametrize("plan", ["graph:4", "step,graph:4"])
def test_frozen_parts_and_buffers_that_are_not_saved(plan: str, simulation: Simulation) -> None:
    found = {}
    for name in ("eager", plan):
        model = small_net()
        model.insert(2, Unsaved())
        for part in list(model)[:2]:
            part.requires_grad_(False)
        train_mode(model, "eval")
        engine = made(model, name)
        warm(engine)
        losses = engine.run(batches(10), RATES)
        assert model[2].seen == 10
        found[name] = [losses, *state_of(engine, model)]
    assert_alike(found[plan], found["eager"], is_exact=plan == "graph:4")


@pytest.fixture
def nothing_compiled() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.slow
def test_forward_and_backward_may_be_compiled(
    monkeypatch: pytest.MonkeyPatch, nothing_compiled: None
) -> None:
    simulate_cuda(monkeypatch, is_available=False)
    found = {}
    for plan in ("eager", "compile,graph:4"):
        model = small_net()
        engine = made(model, plan, maker=EngineMaker(model, ADAMW, backend="aot_eager"))
        warm(engine)
        found[plan] = [engine.run(batches(10), RATES), *state_of(engine, model)]
    assert_alike(found["compile,graph:4"], found["eager"], is_exact=False)
