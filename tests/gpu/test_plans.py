"""Plans on a CUDA device: the same losses as eager ones, whatever is compiled or captured."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import fmnist_models
from bench import RECIPES, Budget, Plan, Recipe, RunSpec, execute
from bench.run.runner import execute_seeds
from results import RunRecord

pytestmark = pytest.mark.gpu
FP32 = replace(RECIPES["default"], precision="fp32", learning_rate=1e-3)
ROUNDING = 1e-6  # relative, of a sum of some thousand float32 numbers in another order
MARGIN = 10.0  # between what rounding did once and what may still be rounding
PLANS = {  # each new compilation takes seconds: every plan once, the telling ones for every model
    "v0": ("dataloader", "step,graph:4"),
    "v2": ("dataloader", "compile", "step", "graph:4", "compile,graph:4"),
    "resnet8": ("channels_last", "graph:4", "channels_last,step,graph:8"),
}


def spec_of(model: str, plan: str, recipe: Recipe = FP32) -> RunSpec:
    return RunSpec(model=model, recipe=recipe, budget=Budget(30, "steps"), plan=Plan.parse(plan))


def run_of(spec: RunSpec, data_root: Path) -> tuple[Tensor, RunRecord]:
    result = next(execute_seeds(spec, [0], device="cuda:0", data=data_root))
    assert (result.record.status, result.record.reason) == ("ok", None)
    return torch.from_numpy(result.samples["loss"]).double(), result.record


def nudged(name: str, input_size: int | None) -> nn.Module:
    """The model, each weight off by about as much as one rounding."""
    model, generator = fmnist_models.build_model(name, input_size), torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + ROUNDING * torch.randn(parameter.shape, generator=generator))
    return model


@cache
def two_eager_runs(model: str, data_root: Path) -> tuple[Tensor, float]:
    """Losses of an eager run, and how far off a run may be whose sums are rounded otherwise.

    A second run of the same kernels may well be the same to the bit: it starts from nudged weights.
    """
    first, _ = run_of(spec_of(model, "contiguous"), data_root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.train.session.build_model", nudged)
        again, _ = run_of(spec_of(model, "contiguous"), data_root)
    return first, max(MARGIN * float((first - again).abs().max()), 1e-4)


@pytest.mark.parametrize(
    ("model", "plan"), [(model, plan) for model, plans in PLANS.items() for plan in plans]
)
def test_a_plan_changes_no_loss_beyond_two_eager_runs(
    model: str, plan: str, data_root: Path
) -> None:
    eager, tolerance = two_eager_runs(model, data_root)
    losses, record = run_of(spec_of(model, plan), data_root)
    assert float((losses - eager).abs().max()) < tolerance
    assert record.value("compilations_in_clock") == 0
    assert record.value("graph_breaks") == 0


@pytest.mark.parametrize("model", PLANS)
def test_the_comparison_sees_another_learning_rate(model: str, data_root: Path) -> None:
    eager, tolerance = two_eager_runs(model, data_root)
    other = replace(FP32, learning_rate=1.05e-3)
    losses, _ = run_of(spec_of(model, "contiguous", other), data_root)
    assert float((losses - eager).abs().max()) > tolerance


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
    _, record = run_of(spec, data_root)
    assert (record.value("test_accuracy") or 0.0) > 0.8
