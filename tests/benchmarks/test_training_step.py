"""Seconds of a training step of every default architecture under plans, with its counts beside.

What is compiled is timed for the cheap nets alone. The tests run a step of a few images, untimed.
"""

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import nn

from bench.engine.engine import MEMORY_FORMATS, Engine, Feed, StepEngine
from bench.engine.maker import EngineMaker
from bench.engine.optimizer import make_optimizer
from bench.machine.device import prepare_compilers
from bench.measure.tally import tally_step
from bench.measure.workload import flops_per_image, num_parameters
from bench.spec.budget import Budget
from bench.spec.named_recipes import DEFAULT
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec
from data_pipeline import ResidentSplit, parse_augmentation
from fmnist_models import build_model, list_models
from tests.tiers import slow_but

BATCH, UNTIMED_BATCH = 128, 4
RATE = 1e-3
PLANS = ("eager", "channels_last")
COMPILED = [(name, "channels_last,step") for name in ("v0", "v2", "resnet8")]
CASES = [(name, plan) for name in list_models(variants=False) for plan in PLANS]


@pytest.mark.parametrize(
    ("name", "plan"),
    slow_but({("v0", "eager"), ("resnet8", "channels_last")}, [*CASES, *COMPILED]),
)
def test_training_step(
    benchmark: BenchmarkFixture, split: ResidentSplit, device: torch.device, name: str, plan: str
) -> None:
    batch = torch.arange(BATCH if benchmark.enabled else UNTIMED_BATCH, device=device)
    torch.manual_seed(0)
    model = build_model(name)
    engine = engine_of(name, model, Plan.parse(plan), split)
    benchmark.group = f"training step, {device.type}"
    benchmark.extra_info |= {"plan": plan, "batch_size": len(batch), "device": device.type}
    benchmark.extra_info |= counts_of(model, engine, batch)
    losses = benchmark(engine.run, [batch], [RATE])
    assert torch.isfinite(losses).all()


def engine_of(name: str, model: nn.Module, plan: Plan, split: ResidentSplit) -> Engine:
    """The engine of a plan under the default recipe, on the device of the split."""
    device, memory_format = split.images.device, MEMORY_FORMATS[plan.memory_format]
    spec = RunSpec(model=name, recipe=DEFAULT, budget=Budget(1, "steps"))
    recipe = spec.resolved_for(device.type).recipe
    prepare_compilers()
    model.to(device).to(memory_format=memory_format)
    feed = Feed(
        split=split,
        augmentations=tuple(map(parse_augmentation, recipe.augment)),
        normalization=recipe.normalize,
        generator=torch.Generator(device).manual_seed(0),
        memory_format=memory_format,
    )
    return EngineMaker(model, recipe).make(plan, make_optimizer(recipe, model), feed)


def counts_of(model: nn.Module, engine: Engine, batch: torch.Tensor) -> dict[str, int]:
    """Parameters and counts of a step; of a compiled one, which hands over nothing, its FLOPs."""
    parameters = {"parameters": num_parameters(model)}
    if isinstance(engine, StepEngine):
        return parameters | tally_step(engine, batch)
    return parameters | {"flops": round(flops_per_image(model, 28) * len(batch))}
