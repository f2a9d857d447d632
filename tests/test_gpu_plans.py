"""Plans on a CUDA device: the same mathematics, whatever is compiled or captured."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench import RECIPES, Budget, Plan, Recipe, RunSpec, execute
from bench.engine import MEMORY_FORMATS, Engine, Feed
from bench.engines import EngineMaker
from bench.errors import RunError
from bench.optimizer import make_optimizer
from bench.runner import execute_seeds
from bench.warmup import restored
from data_pipeline import ResidentSplit
from tests.test_graph_refusals import Reads
from tests.training_by_hand import RECIPE, flat_state, random_split, small_net, some_batches

pytestmark = pytest.mark.gpu
FP32 = replace(RECIPES["default"], precision="fp32", learning_rate=1e-3)
ADAMW = replace(RECIPE, optimizer="adamw", weight_decay=0.01)
RMSPROP = replace(RECIPE, optimizer="rmsprop", momentum=0.5)
PLANS = (
    "channels_last",
    "dataloader",
    "compile",
    "step",
    "graph:4",
    "compile,graph:4",
    "channels_last,step,graph:8",
)
GRAPHS = ("graph:4", "step,graph:4")


def spec_of(model: str, plan: str, recipe: Recipe = FP32) -> RunSpec:
    return RunSpec(model=model, recipe=recipe, budget=Budget(30, "steps"), plan=Plan.parse(plan))


def run_of(spec: RunSpec, data_root: Path) -> tuple[Tensor, dict[str, float | None]]:
    result = next(execute_seeds(spec, [0], device="cuda:0", data=data_root))
    record = result.record
    assert (record.status, record.reason) == ("ok", None)
    counts = ("compilations_in_clock", "test_accuracy")
    return torch.from_numpy(result.samples["loss"]).double(), {k: record.value(k) for k in counts}


@cache
def two_eager_runs(model: str, data_root: Path) -> tuple[Tensor, float]:
    """Losses, and how far a second run may be away from them."""
    first, again = (run_of(spec_of(model, "contiguous"), data_root)[0] for _ in range(2))
    return first, max(10 * float((first - again).abs().max()), 1e-3)


@pytest.mark.parametrize("model", ["v0", "v2", "resnet8"])
@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_changes_no_loss_beyond_two_eager_runs(
    model: str, plan: str, data_root: Path
) -> None:
    eager, tolerance = two_eager_runs(model, data_root)
    losses, counts = run_of(spec_of(model, plan), data_root)
    assert float((losses - eager).abs().max()) < tolerance
    assert counts["compilations_in_clock"] == 0


def cuda_engine(model: nn.Module, plan: str, recipe: Recipe = ADAMW) -> tuple[Engine, Feed]:
    split = random_split()
    feed = Feed(
        ResidentSplit(split.images.cuda(), split.labels.cuda()),
        (),
        "unit",
        torch.Generator("cuda").manual_seed(1),
        MEMORY_FORMATS["contiguous"],
    )
    optimizer = make_optimizer(recipe, model)
    return EngineMaker(model, recipe).make(Plan.parse(plan), optimizer, feed), feed


def batches(count: int) -> list[Tensor]:
    return [index.cuda() for index in some_batches(count)]


@pytest.mark.parametrize("plan", GRAPHS)
@pytest.mark.parametrize(
    ("recipe", "scale"), [(ADAMW, 1.0), (RMSPROP, 0.01)], ids=["adamw", "rmsprop"]
)
def test_a_captured_step_survives_its_own_warm_up_and_follows_the_rates(
    plan: str, recipe: Recipe, scale: float
) -> None:
    # two graphs and one step more
    rates = [scale * rate for rate in (0.01, 0.02, 0.0, 0.05, 0.01, 0.03, 0.0, 0.02, 0.01)]
    states = {}
    for name in ("eager", plan):
        model = small_net().cuda()
        engine, feed = cuda_engine(model, name, recipe)
        optimizer: torch.optim.Optimizer = engine.optimizer  # type: ignore[attr-defined]
        with restored(model, optimizer, [feed.generator]):
            engine.run(batches(5), [0.3] * 5)
        engine.reset()
        losses = engine.run(batches(9), rates)
        torch.cuda.synchronize()
        states[name] = (losses, flat_state(model).cpu())
    torch.testing.assert_close(states[plan][0], states["eager"][0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(states[plan][1], states["eager"][1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("plan", GRAPHS)
def test_dropout_draws_anew_at_each_replay(plan: str) -> None:
    engine, _ = cuda_engine(small_net(dropout=0.5).cuda(), plan)
    index = batches(1) * 4
    engine.run(index, [0.0] * 4)
    first, second = (engine.run(index, [0.0] * 4) for _ in range(2))
    torch.cuda.synchronize()
    assert len({round(float(loss), 6) for loss in [*first, *second]}) == 8


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


def test_auto_tries_graphs_and_both_memory_formats(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path))
    # fused AdamW on CUDA refuses optimizer state of another memory format
    spec = replace(spec_of("v2", "contiguous"), plan=None)
    record = execute(spec, device="cuda:0", data=data_root)
    assert (record.status, record.reason) == ("ok", None)
    uncompiled = [tried for tried in record.tried if "step," not in tried["plan"]]
    assert len([tried for tried in uncompiled if "error" not in tried]) == 4


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_graphs_learn_in_every_precision(precision: str, data_root: Path) -> None:
    recipe = replace(RECIPES["default"], precision=precision)
    spec = replace(spec_of("v2", "step,graph:8", recipe), budget=Budget(1, "epochs"))
    _, counts = run_of(spec, data_root)
    assert (counts["test_accuracy"] or 0.0) > 0.8


def test_weights_of_data_parallel_have_no_prefix() -> None:
    # the engine wraps the model, the model itself stays as it is
    model = small_net().cuda()
    cuda_engine(model, "dp")
    assert not any(name.startswith("module.") for name in model.state_dict())
