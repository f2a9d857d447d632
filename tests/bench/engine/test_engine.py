"""The engine on small synthetic data: every plan and precision does the same mathematics."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, optim

from bench import Plan, Recipe
from bench.engine.engine import LoaderEngine, loss_function
from bench.engine.optimizer import make_optimizer
from bench.errors import RunError
from data_pipeline import NORMALIZATIONS
from tests.bench.train.training_by_hand import (
    RECIPE,
    engine_of,
    feed_of,
    flat_state,
    make_engine,
    random_split,
    small_net,
    some_batches,
)

RATES = [0.02, 0.01, 0.03, 0.02, 0.001]
MOMENTA = [0.9, 0.5, 0.6, 0.8, 0.7]
HEAVY_BALL = replace(RECIPE, momentum=0.9)
of_each_plan = pytest.mark.parametrize("plan", ["eager", "dataloader"])

pytestmark = pytest.mark.usefixtures("one_thread")


def trained(
    plan: str = "eager", recipe: Recipe = RECIPE, momenta: list[float] | None = None
) -> tuple[Tensor, Tensor]:
    """Losses (5,) and all weights after five steps."""
    model = small_net()
    losses = engine_of(model, recipe, Plan.parse(plan)).run(some_batches(5), RATES, momenta)
    return losses, flat_state(model)


def trained_in_plain_words(
    make: Callable[..., optim.Optimizer], smoothing: float = 0.0, momenta: list[float] | None = None
) -> tuple[Tensor, Tensor]:
    """The same, by the loop that everybody writes."""
    model, split, losses = small_net(), random_split(), []
    optimizer = make(model.parameters())
    for step, batch in enumerate(some_batches(5)):
        optimizer.param_groups[0]["lr"] = RATES[step]
        if momenta:
            optimizer.param_groups[0]["momentum"] = momenta[step]
        logits = model(split.images[batch].float() / 255)
        loss = F.cross_entropy(logits, split.labels[batch], label_smoothing=smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses), flat_state(model)


def assert_alike(
    found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor], atol: float
) -> None:
    assert [one.shape for one in found] == [one.shape for one in expected]
    assert [*map(partial(torch.allclose, atol=atol), found, expected)] == [True, True]


@pytest.mark.parametrize(
    ("recipe", "smoothing", "make"),
    [
        (
            replace(RECIPE, momentum=0.9, nesterov=True, weight_decay=0.01),
            0.0,
            partial(optim.SGD, momentum=0.9, nesterov=True, weight_decay=0.01),
        ),
        (replace(RECIPE, optimizer="adam"), 0.0, optim.Adam),
        (
            replace(RECIPE, optimizer="adamw", weight_decay=0.01, label_smoothing=0.1),
            0.1,
            partial(optim.AdamW, weight_decay=0.01),
        ),
        (
            replace(RECIPE, optimizer="rmsprop", weight_decay=0.01, momentum=0.5),
            0.0,
            partial(optim.RMSprop, weight_decay=0.01, momentum=0.5),
        ),
    ],
    ids=["sgd", "adam", "adamw", "rmsprop"],
)
def test_eager_steps_are_those_of_the_plain_loop(
    recipe: Recipe, smoothing: float, make: Callable[..., optim.Optimizer]
) -> None:
    found = trained("eager", recipe)
    assert_alike(found, trained_in_plain_words(make, smoothing), atol=1e-6)
    assert not torch.allclose(found[1], flat_state(small_net()), atol=1e-2)


@of_each_plan
def test_the_momentum_of_sgd_may_change_from_step_to_step(plan: str) -> None:
    expected = trained_in_plain_words(partial(optim.SGD, momentum=0.9), momenta=MOMENTA)
    assert_alike(trained(plan, HEAVY_BALL, MOMENTA), expected, atol=1e-6)


def state_after(plan: str, *momenta: float | None) -> Tensor:
    """All weights after a step a call."""
    model = small_net()
    engine = engine_of(model, HEAVY_BALL, Plan.parse(plan))
    for batch, rate, momentum in zip(some_batches(4), RATES[:4], momenta, strict=True):
        engine.run([batch], [rate], None if momentum is None else [momentum])
    return flat_state(model)


@of_each_plan
def test_a_momentum_stays_until_another_is_given(plan: str) -> None:
    low, recipes_own = state_after(plan, *[0.5] * 4), state_after(plan, *[0.9] * 4)
    assert torch.equal(state_after(plan, 0.5, 0.5, None, None), low)
    assert torch.equal(state_after(plan, *[None] * 4), recipes_own)
    assert not torch.allclose(low, recipes_own, atol=1e-3)


@of_each_plan
@pytest.mark.parametrize(("rates", "momenta"), [([0.1], None), ([0.1, 0.1], [0.9])])
def test_rates_and_momenta_must_be_as_many_as_batches(
    plan: str, rates: list[float], momenta: list[float] | None
) -> None:
    with pytest.raises(ValueError, match="zip"):
        engine_of(small_net(), HEAVY_BALL, Plan.parse(plan)).run(some_batches(2), rates, momenta)


def test_the_loader_s_engine_resets_the_scale_of_fp16() -> None:
    engine = engine_of(small_net(), replace(RECIPE, precision="fp16"), Plan.parse("dataloader"))
    assert isinstance(engine, LoaderEngine)
    scaler = engine.steps.scaler
    assert scaler is not None
    first = scaler.get_scale()
    scaler.load_state_dict(scaler.state_dict() | {"scale": 2.0})
    assert scaler.get_scale() == 2.0
    engine.reset()
    assert scaler.get_scale() == first


def test_channels_last_equals_contiguous() -> None:
    assert_alike(trained("channels_last"), trained(), atol=1e-5)


@pytest.mark.slow
def test_compiled_equals_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []
    real = partial(torch.compile, backend="eager")  # the tracing is ours to test, inductor is not

    def compile_(function: Callable[..., Tensor], **options: Any) -> object:  # noqa: ANN401
        compiled.append(function)
        return real(function, **options)

    monkeypatch.setattr(torch, "compile", compile_)
    expected = trained()
    assert not compiled
    assert_alike(trained("compile"), expected, atol=1e-5)
    assert len(compiled) == 1


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_autocast_trains_nearly_alike_and_keeps_float32_weights(precision: str) -> None:
    model = small_net()
    seen: list[torch.dtype] = []
    model[3].register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    engine = make_engine(model, replace(RECIPE, precision=precision))
    losses = engine.run(some_batches(len(RATES)), RATES)
    assert set(seen) == {torch.bfloat16 if precision == "bf16" else torch.float16}
    assert losses.dtype == torch.float32
    assert torch.allclose(losses, trained()[0], atol=0.2)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert (engine.scaler is not None) == (precision == "fp16")


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_the_feed_normalizes_and_keeps_images_with_their_labels(kind: str) -> None:
    feed, index = feed_of(replace(RECIPE, normalize=kind)), torch.tensor([5, 0, 5, 63])
    images, labels = feed.batch(index)
    mean, std = NORMALIZATIONS[kind]
    expected = (feed.split.images[index].double() / 255 - mean) / std
    assert torch.allclose(images.double(), expected, atol=1e-6)
    assert torch.equal(labels, feed.split.labels[index])
    assert images.dtype == torch.float32


def test_augmentation_draws_from_its_generator_alone() -> None:
    recipe = replace(RECIPE, augment=("flip", "shift2"))
    one, two, index = feed_of(recipe), feed_of(recipe), torch.arange(32)
    before = torch.get_rng_state()
    first = one.batch(index)[0]
    torch.rand(7)
    assert torch.equal(first, two.batch(index)[0])
    assert not torch.equal(first, one.batch(index)[0])
    torch.set_rng_state(before)
    feed_of(recipe).batch(index)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("memory_format", "strides"), [("contiguous", (64, 64, 8, 1)), ("channels_last", (64, 1, 8, 1))]
)
def test_images_have_the_strides_of_the_plan(memory_format: str, strides: tuple[int, ...]) -> None:
    images, _ = feed_of(memory_format=memory_format).batch(torch.arange(4))
    assert images.stride() == strides


def test_frozen_parameters_are_not_trained() -> None:
    model = small_net()
    model[0].weight.requires_grad_(False)
    optimizer = make_optimizer(RECIPE, model)
    trained_ids = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert trained_ids == {id(p) for p in model.parameters()} - {id(model[0].weight)}


def test_data_parallel_leaves_the_names_of_the_weights_alone() -> None:
    model = small_net()
    names = list(model.state_dict())
    losses = make_engine(model, plan=Plan(parallel="dp")).run(some_batches(2), RATES[:2])
    assert torch.allclose(losses, trained()[0][:2])  # without GPUs it passes through
    assert list(model.state_dict()) == names


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ((torch.zeros(4, 7), None), "a tuple of (4, 7), not (4, 10)"),
        ({"masks": torch.zeros(4, 10, 7, 7)}, "a dict of (4, 10, 7, 7), not (4, 10)"),
        (None, "a NoneType, not (4, 10)"),
        (torch.zeros(4, 7), "shape (4, 7), not (4, 10)"),
        (torch.zeros(10), "shape (10,), not (4, 10)"),
        (torch.zeros(3, 10), "shape (3, 10), not (4, 10)"),
    ],
)
def test_what_is_no_logits_is_named(output: object, reason: str) -> None:
    loss_of = loss_function(lambda _images: output, RECIPE, "cpu")
    with pytest.raises(RunError, match=re.escape(f"in training the model returns {reason}")):
        loss_of(torch.zeros(4, 1, 28, 28), torch.zeros(4, dtype=torch.int64))
