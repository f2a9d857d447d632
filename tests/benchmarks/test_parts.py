"""Timings of the parts of the harness: `make benchmark`. In `make test` each runs once, untimed."""

from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.budget import Budget
from bench.engine import Feed, StepEngine, make_loss
from bench.evaluation import evaluate
from bench.optimizer import make_optimizer
from bench.plan import Plan
from bench.recipes import DEFAULT
from bench.spec import RunSpec
from bench.workload import num_parameters
from data_pipeline import ResidentSplit, parse_augmentation
from fmnist_models import build_model
from results import RunStore, render_table, summarize, table_rows
from tests.results_records_by_hand import make_sweep

BATCH = 128


@pytest.fixture(scope="module")
def split() -> ResidentSplit:
    """1,024 random images: the content costs no time, the shape does."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (1024, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return ResidentSplit(images, torch.randint(10, (1024,), generator=generator))


def feed_of(split: ResidentSplit, *names: str) -> Feed:
    return Feed(
        split=split,
        augmentations=tuple(parse_augmentation(name) for name in names),
        normalization="dataset",
        generator=torch.Generator().manual_seed(0),
        memory_format=torch.channels_last,
    )


@pytest.mark.parametrize("augment", [(), ("flip",), ("flip", "shift2", "cutout8")])
def test_batch(benchmark: BenchmarkFixture, split: ResidentSplit, augment: tuple[str, ...]) -> None:
    feed = feed_of(split, *augment)
    images, labels = benchmark(feed.batch, torch.arange(BATCH))
    assert images.shape == (BATCH, 1, 28, 28)
    assert labels.shape == (BATCH,)


@pytest.mark.parametrize("name", ["v0", "v2", "fashion_cnn", "resnet8"])
def test_training_step(benchmark: BenchmarkFixture, split: ResidentSplit, name: str) -> None:
    plan = Plan(memory_format="channels_last")
    model = build_model(name).to(memory_format=torch.channels_last)
    recipe = (
        RunSpec(model=name, recipe=DEFAULT, budget=Budget(1, "steps")).resolved_for("cpu").recipe
    )
    engine = StepEngine(
        model,
        make_optimizer(recipe, model),
        feed_of(split, *recipe.augment),
        make_loss(model, recipe, plan, "cpu"),
        "fp32",
    )
    benchmark.extra_info["num_params"] = num_parameters(model)
    losses = benchmark(engine.run, [torch.arange(BATCH)], [1e-3])
    assert torch.isfinite(losses).all()


@pytest.mark.parametrize("name", ["v0", "resnet8"])
def test_evaluation(benchmark: BenchmarkFixture, split: ResidentSplit, name: str) -> None:
    model = build_model(name)
    quality = benchmark(evaluate, model, split, normalization="dataset", precision="fp32")
    assert sum(map(sum, quality.confusion)) == len(split)


def test_append(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    store, record = RunStore(tmp_path), make_sweep()[0]
    benchmark(store.append, record)
    assert store.read()[0] == record


def test_table(benchmark: BenchmarkFixture) -> None:
    records = make_sweep()
    rows = table_rows(summarize(records))
    assert benchmark(render_table, rows, width=120)
