"""Steps inside CUDA graphs: rates, dropout, BatchNorm and augmentation as in eager steps."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench import Plan, Recipe
from bench.engine.engine import MEMORY_FORMATS, Engine, Feed
from bench.engine.maker import EngineMaker
from bench.engine.optimizer import make_optimizer
from bench.engine.warmup import restored
from bench.errors import RunError
from data_pipeline import ResidentSplit, parse_augmentation
from tests.bench.engine.test_graph_refusals import Reads
from tests.bench.train.training_by_hand import (
    RECIPE,
    flat_state,
    learner_of,
    random_split,
    small_net,
    some_batches,
)

pytestmark = pytest.mark.gpu
ADAMW = replace(RECIPE, optimizer="adamw", weight_decay=0.01)
RMSPROP = replace(RECIPE, optimizer="rmsprop", momentum=0.5)
AUGMENTED = replace(ADAMW, augment=("flip", "shift2", "cutout4"))
GRAPHS = ("graph:4", "step,graph:4")


def cuda_engine(model: nn.Module, plan: str, recipe: Recipe = ADAMW) -> tuple[Engine, Feed]:
    split = random_split()
    feed = Feed(
        ResidentSplit(split.images.cuda(), split.labels.cuda()),
        tuple(map(parse_augmentation, recipe.augment)),
        "unit",
        torch.Generator("cuda").manual_seed(1),
        MEMORY_FORMATS["contiguous"],
    )
    optimizer = make_optimizer(recipe, model)
    return EngineMaker(model, recipe).make(Plan.parse(plan), optimizer, feed), feed


def batches(count: int) -> list[Tensor]:
    return [index.cuda() for index in some_batches(count)]


def train(plan: str, recipe: Recipe, rates: list[float]) -> tuple[Tensor, nn.Module]:
    """Losses, and the model, after a warm-up that is put back: two graphs and one step more."""
    model = small_net().cuda()
    engine, _ = cuda_engine(model, plan, recipe)
    with restored(learner_of(engine)):
        engine.run(batches(5), [0.3] * 5)
    engine.reset()
    losses = engine.run(batches(len(rates)), rates)
    torch.cuda.synchronize()
    return losses, model


@pytest.mark.parametrize("plan", GRAPHS)
@pytest.mark.parametrize(
    ("recipe", "scale"),
    [(ADAMW, 1.0), (RMSPROP, 0.01), (AUGMENTED, 1.0)],
    ids=["adamw", "rmsprop", "augmented"],
)
def test_a_captured_step_survives_its_own_warm_up_and_follows_rates_and_draws(
    plan: str, recipe: Recipe, scale: float
) -> None:
    rates = [scale * rate for rate in (0.01, 0.02, 0.0, 0.05, 0.01, 0.03, 0.0, 0.02, 0.01)]
    losses, model = train(plan, recipe, rates)
    expected, eager = train("eager", recipe, rates)
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(flat_state(model), flat_state(eager), rtol=1e-3, atol=1e-4)


def test_the_draws_of_augmentation_are_among_what_is_compared() -> None:
    rates = [0.0] * 4  # so that nothing but the images differs
    augmented, plain = (train("eager", recipe, rates)[0] for recipe in (AUGMENTED, ADAMW))
    assert not torch.allclose(augmented, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("plan", GRAPHS)
def test_batchnorm_counts_every_replayed_step_and_none_of_the_warm_up(plan: str) -> None:
    rates = [0.01] * 9
    model, eager = (train(name, ADAMW, rates)[1] for name in (plan, "eager"))
    norm, expected = model[1], eager[1]  # type: ignore[index]
    assert int(norm.num_batches_tracked) == 9
    torch.testing.assert_close(norm.running_mean, expected.running_mean, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(norm.running_var, expected.running_var, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("plan", GRAPHS)
def test_a_rate_of_zero_moves_no_weight(plan: str) -> None:
    model = small_net().cuda()
    engine, _ = cuda_engine(model, plan, replace(RECIPE, learning_rate=0.1))
    engine.run(batches(4), [0.0] * 4)  # captured: a rate frozen there would be this one, or 0.1
    before = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    engine.run(batches(4), [0.0] * 4)
    after = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    assert torch.equal(after, before)
    engine.run(batches(4), [0.1] * 4)
    moved = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    assert not torch.equal(moved, before)


@pytest.mark.parametrize("plan", GRAPHS)
def test_dropout_draws_anew_at_each_replay(plan: str) -> None:
    engine, _ = cuda_engine(small_net(dropout=0.5).cuda(), plan)
    index = batches(1) * 4
    engine.run(index, [0.0] * 4)
    first, second = (engine.run(index, [0.0] * 4) for _ in range(2))
    torch.cuda.synchronize()
    assert len({round(float(loss), 6) for loss in [*first, *second]}) == 8


def test_the_scaler_of_fp16_works_inside_a_graph() -> None:
    recipe = replace(ADAMW, precision="fp16")
    engine, _ = cuda_engine(small_net().cuda(), "graph:4", recipe)
    losses = engine.run(batches(8), [0.01] * 8)
    torch.cuda.synchronize()
    assert torch.isfinite(losses).all()


def test_muon_resumes_from_a_checkpoint_that_was_read_on_the_host(tmp_path: Path) -> None:
    muon = replace(ADAMW, optimizer="muon")
    model = small_net().cuda()
    engine, _ = cuda_engine(model, "channels_last", muon)
    engine.run(batches(3), [0.01] * 3)
    optimizer: torch.optim.Optimizer = engine.optimizer  # type: ignore[attr-defined]
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    optimizer.load_state_dict(torch.load(tmp_path / "optimizer.pt", map_location="cpu"))
    losses = engine.run(batches(3), [0.01] * 3)
    torch.cuda.synchronize()
    assert torch.isfinite(losses).all()


def test_weights_of_data_parallel_have_no_prefix() -> None:
    # the engine wraps the model, the model itself stays as it is
    model = small_net().cuda()
    cuda_engine(model, "dp")
    assert not any(name.startswith("module.") for name in model.state_dict())


def test_a_model_that_waits_costs_no_other_plan_its_device() -> None:
    model = small_net(dropout=0.5).append(Reads("item")).cuda()
    engine, _ = cuda_engine(model, "graph:4")
    with pytest.raises(RunError, match="leave graph:N out"):
        engine.run(batches(4), [0.01] * 4)
    for plan in ("eager", "graph:4"):  # both draw their dropout from the generator of the device
        engine, _ = cuda_engine(small_net(dropout=0.5).cuda(), plan)
        losses = engine.run(batches(4), [0.01] * 4)
        torch.cuda.synchronize()
        assert torch.isfinite(losses).all()


@pytest.mark.parametrize("plan", GRAPHS)
def test_losses_that_are_nan_from_the_first_step_are_no_empty_capture(plan: str) -> None:
    model = small_net().cuda()
    torch.nn.init.constant_(model[0].weight, torch.nan)  # type: ignore[arg-type]
    engine, _ = cuda_engine(model, plan)
    losses = engine.run(batches(4), [0.01] * 4)
    torch.cuda.synchronize()
    assert losses.isnan().all()


def test_graphs_of_an_engine_that_is_gone_leave_their_memory() -> None:
    model, reserved = small_net(size=8).cuda(), []
    for _ in range(4):
        engine, _ = cuda_engine(model, "graph:4")
        for count in (4, 1):
            engine.run(batches(count), [0.01] * count)
        del engine
        model.zero_grad()
        torch.cuda.empty_cache()
        reserved.append(torch.cuda.memory_reserved())
    assert reserved[3] <= reserved[1]
