"""The engine on small synthetic data: every plan and precision does the same mathematics."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench import Plan, Recipe
from bench.engine.engine import MEMORY_FORMATS, Feed, LoaderEngine, loss_function
from bench.engine.optimizer import make_optimizer
from bench.errors import RunError
from data_pipeline import NORMALIZATIONS, parse_augmentation
from tests.bench.train.training_by_hand import (
    RECIPE,
    engine_of,
    flat_state,
    make_engine,
    random_split,
    small_net,
    some_batches,
)

RATES = [0.02, 0.01, 0.03, 0.02, 0.001]
MOMENTA = [0.9, 0.5, 0.6, 0.8, 0.7]
HEAVY_BALL = replace(RECIPE, momentum=0.9)
Update = Callable[[Tensor, Tensor, dict[str, Any], float, int], None]

pytestmark = pytest.mark.usefixtures("one_thread")


def sgd(weight: Tensor, gradient: Tensor, slots: dict[str, Any], rate: float, _step: int) -> None:
    gradient = gradient + 0.01 * weight
    velocity = 0.9 * slots["v"] + gradient if "v" in slots else gradient
    slots["v"] = velocity
    weight -= rate * (gradient + 0.9 * velocity)  # Nesterov


def cycled(weight: Tensor, gradient: Tensor, slots: dict[str, Any], rate: float, step: int) -> None:
    slots["v"] = MOMENTA[step - 1] * slots.get("v", 0.0) + gradient
    weight -= rate * slots["v"]


def adam(weight: Tensor, gradient: Tensor, slots: dict[str, Any], rate: float, step: int) -> None:
    first = 0.9 * slots.get("m", 0.0) + 0.1 * gradient
    second = 0.999 * slots.get("s", 0.0) + 0.001 * gradient**2
    slots.update(m=first, s=second)
    denominator = (second / (1 - 0.999**step)).sqrt() + 1e-8
    weight -= rate * first / (1 - 0.9**step) / denominator


def adamw(weight: Tensor, gradient: Tensor, slots: dict[str, Any], rate: float, step: int) -> None:
    weight *= 1 - rate * 0.01
    adam(weight, gradient, slots, rate, step)


def by_hand(model: nn.Module, recipe: Recipe, update: Update) -> list[float]:
    """Trains as the recipe says, in plain words."""
    split, parameters = random_split(), list(model.parameters())
    slots: list[dict[str, Any]] = [{} for _ in parameters]
    losses = []
    for step, (batch, rate) in enumerate(zip(some_batches(len(RATES)), RATES, strict=True), 1):
        logits = model(split.images[batch].float() / 255)
        loss = F.cross_entropy(logits, split.labels[batch], label_smoothing=recipe.label_smoothing)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for weight, gradient, own in zip(parameters, gradients, slots, strict=True):
                update(weight, gradient, own, rate, step)
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize(
    ("recipe", "update"),
    [
        (replace(RECIPE, momentum=0.9, nesterov=True, weight_decay=0.01), sgd),
        (replace(RECIPE, optimizer="adam"), adam),
        (replace(RECIPE, optimizer="adamw", weight_decay=0.01, label_smoothing=0.1), adamw),
    ],
    ids=["sgd", "adam", "adamw"],
)
def test_eager_steps_equal_steps_by_hand(recipe: Recipe, update: Update) -> None:
    ours, theirs = small_net(), small_net()
    losses = make_engine(ours, recipe).run(some_batches(len(RATES)), RATES)
    assert losses.tolist() == pytest.approx(by_hand(theirs, recipe, update), abs=1e-6)
    assert torch.allclose(flat_state(ours), flat_state(theirs), atol=1e-6)
    assert not torch.allclose(flat_state(ours), flat_state(small_net()), atol=1e-2)


@pytest.mark.parametrize("plan", ["eager", "dataloader"])
def test_the_momentum_of_sgd_may_change_from_step_to_step(plan: str) -> None:
    ours, theirs = small_net(), small_net()
    engine = engine_of(ours, HEAVY_BALL, Plan.parse(plan))
    losses = engine.run(some_batches(len(RATES)), RATES, MOMENTA)
    assert losses.tolist() == pytest.approx(by_hand(theirs, HEAVY_BALL, cycled), abs=1e-6)
    assert torch.allclose(flat_state(ours), flat_state(theirs), atol=1e-6)


@pytest.mark.parametrize("plan", ["eager", "dataloader"])
def test_a_momentum_stays_until_another_is_given(plan: str) -> None:
    states = []
    for momenta in ([0.5] * 4, [0.5, None], [0.9] * 4, [None, None]):
        model = small_net()
        engine = engine_of(model, HEAVY_BALL, Plan.parse(plan))
        at = 0
        for momentum in momenta:
            steps = 4 // len(momenta)
            own = None if momentum is None else [momentum] * steps
            engine.run(some_batches(4)[at : at + steps], RATES[at : at + steps], own)
            at += steps
        states.append(flat_state(model))
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[2], states[3])  # the recipe's own
    assert not torch.allclose(states[0], states[2], atol=1e-3)


@pytest.mark.parametrize("plan", ["eager", "dataloader"])
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


def test_several_steps_a_call_equal_one_a_call() -> None:
    together, apart = small_net(), small_net()
    losses = make_engine(together).run(some_batches(3), RATES[:3])
    engine = make_engine(apart)
    parts = [engine.run([batch], [rate]) for batch, rate in zip(some_batches(3), RATES[:3])]  # noqa: B905
    assert torch.equal(losses, torch.cat(parts))
    assert losses.shape == (3,)
    assert torch.equal(flat_state(together), flat_state(apart))


def trained(plan: Plan, recipe: Recipe = RECIPE) -> tuple[Tensor, Tensor]:
    model = small_net()
    losses = make_engine(model, recipe, plan).run(some_batches(len(RATES)), RATES)
    return losses, flat_state(model)


def test_channels_last_equals_contiguous() -> None:
    for found, expected in zip(
        trained(Plan(memory_format="channels_last")), trained(Plan()), strict=True
    ):
        assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_compiled_equals_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []
    real = partial(torch.compile, backend="eager")  # the tracing is ours to test, inductor is not

    def compile_(function: Callable[..., Tensor], **options: Any) -> object:  # noqa: ANN401
        compiled.append(function)
        return real(function, **options)

    monkeypatch.setattr(torch, "compile", compile_)
    expected = trained(Plan())
    assert not compiled
    found = trained(Plan(mode="compile"))
    assert len(compiled) == 1
    assert torch.allclose(found[0], expected[0], atol=1e-5)
    assert torch.allclose(found[1], expected[1], atol=1e-5)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_autocast_trains_nearly_alike_and_keeps_float32_weights(precision: str) -> None:
    model = small_net()
    seen: list[torch.dtype] = []
    model[3].register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    engine = make_engine(model, replace(RECIPE, precision=precision))
    losses = engine.run(some_batches(len(RATES)), RATES)
    assert set(seen) == {torch.bfloat16 if precision == "bf16" else torch.float16}
    assert losses.dtype == torch.float32
    assert torch.allclose(losses, trained(Plan())[0], atol=0.2)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert (engine.scaler is not None) == (precision == "fp16")


def test_label_smoothing_is_in_the_loss() -> None:
    model, batch = small_net(), some_batches(1)[0]
    split = random_split()
    logits = small_net()(split.images[batch].float() / 255)
    loss = make_engine(model, replace(RECIPE, label_smoothing=0.3)).run([batch], [0.1])
    expected = F.cross_entropy(logits, split.labels[batch], label_smoothing=0.3)
    assert float(loss) == pytest.approx(float(expected.detach()), abs=1e-6)


def make_feed(normalization: str = "unit", *names: str, memory_format: str = "contiguous") -> Feed:
    return Feed(
        split=random_split(),
        augmentations=tuple(map(parse_augmentation, names)),
        normalization=normalization,
        generator=torch.Generator().manual_seed(3),
        memory_format=MEMORY_FORMATS[memory_format],
    )


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_the_feed_normalizes_and_keeps_images_with_their_labels(kind: str) -> None:
    feed, index = make_feed(kind), torch.tensor([5, 0, 5, 63])
    images, labels = feed.batch(index)
    mean, std = NORMALIZATIONS[kind]
    expected = (feed.split.images[index].double() / 255 - mean) / std
    assert torch.allclose(images.double(), expected, atol=1e-6)
    assert torch.equal(labels, feed.split.labels[index])
    assert images.dtype == torch.float32


def test_augmentation_draws_from_its_generator_alone() -> None:
    one, two = make_feed("unit", "flip", "shift2"), make_feed("unit", "flip", "shift2")
    index = torch.arange(32)
    before = torch.get_rng_state()
    first = one.batch(index)[0]
    torch.rand(7)
    assert torch.equal(first, two.batch(index)[0])
    assert not torch.equal(first, one.batch(index)[0])
    torch.set_rng_state(before)
    make_feed("unit", "flip").batch(index)
    assert torch.equal(before, torch.get_rng_state())


def test_a_flip_mirrors_some_images_and_leaves_the_others() -> None:
    feed, index = make_feed("unit", "flip"), torch.arange(32)
    images, plain = feed.batch(index)[0], make_feed().batch(index)[0]
    is_same = (images == plain).flatten(1).all(dim=1)
    is_mirrored = (images == plain.flip(-1)).flatten(1).all(dim=1)
    assert (is_same | is_mirrored).all()
    assert 0 < int(is_mirrored.sum()) < 32


@pytest.mark.parametrize(
    ("memory_format", "strides"), [("contiguous", (64, 64, 8, 1)), ("channels_last", (64, 1, 8, 1))]
)
def test_images_have_the_strides_of_the_plan(memory_format: str, strides: tuple[int, ...]) -> None:
    images, _ = make_feed(memory_format=memory_format).batch(torch.arange(4))
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
    assert torch.allclose(losses, trained(Plan())[0][:2])  # without GPUs it passes through
    assert list(model.state_dict()) == names
    assert not any(name.startswith("module.") for name in names)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ((torch.zeros(4, 10), None), "in training the model returns a tuple"),
        (None, "in training the model returns a NoneType"),
        (torch.zeros(4, 7), r"in training the model returns shape \(4, 7\), not \(4, 10\)"),
        (torch.zeros(10), r"in training the model returns shape \(10,\), not \(4, 10\)"),
        (torch.zeros(3, 10), r"in training the model returns shape \(3, 10\), not \(4, 10\)"),
    ],
)
def test_what_is_no_logits_is_named(output: object, reason: str) -> None:
    loss_of = loss_function(lambda _images: output, RECIPE, "cpu")  # type: ignore[arg-type,return-value]
    with pytest.raises(RunError, match=reason):
        loss_of(torch.zeros(4, 1, 28, 28), torch.zeros(4, dtype=torch.int64))
