"""Timings of the parts of the harness: `make benchmark`. In `make test` each runs once, untimed."""

from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.engine.engine import Feed
from bench.measure.workload import num_parameters
from bench.train.evaluation import BATCH_SIZES, evaluate
from data_pipeline import ResidentSplit, load_fashion_mnist, parse_augmentation, place
from fmnist_models import build_model
from results import RunStore, summarize, table_rows
from results.render.table import render_table
from tests.results.records_by_hand import make_sweep

BATCH = 128


def test_decode(benchmark: BenchmarkFixture, data_root: Path) -> None:
    """The four files verified and read: what the data cost a run before they are resident."""
    loaded = benchmark(load_fashion_mnist, data_root, fetch=False)
    benchmark.extra_info["num_images"] = len(loaded.train_labels) + len(loaded.test_labels)
    assert loaded.train_images.shape == (60_000, 1, 28, 28)


@pytest.mark.parametrize("size", [16, 96])
def test_place(
    benchmark: BenchmarkFixture, split: ResidentSplit, size: int, device: torch.device
) -> None:
    """A split resized to what a model or recipe takes, and put on the device."""
    images, labels = split.images.cpu(), split.labels.cpu()
    resident = benchmark(place, images, labels, device, size)
    benchmark.extra_info |= {"num_images": len(split), "input_size": size, "device": device.type}
    assert resident.images.shape == (len(split), 1, size, size)


@pytest.mark.parametrize("augment", [(), ("flip",), ("flip", "shift2", "cutout8")])
def test_batch(
    benchmark: BenchmarkFixture,
    split: ResidentSplit,
    augment: tuple[str, ...],
    device: torch.device,
) -> None:
    """A batch gathered from resident bytes, augmented and normalised on the device."""
    feed = Feed(
        split=split,
        augmentations=tuple(parse_augmentation(name) for name in augment),
        normalization="dataset",
        generator=torch.Generator(device).manual_seed(0),
        memory_format=torch.channels_last,
    )
    images, labels = benchmark(feed.batch, torch.arange(BATCH, device=device))
    benchmark.extra_info |= {"batch_size": BATCH, "device": device.type}
    assert images.shape == (BATCH, 1, 28, 28)
    assert labels.shape == (BATCH,)


@pytest.mark.parametrize("name", ["v0", "resnet8"])
def test_evaluation(
    benchmark: BenchmarkFixture, split: ResidentSplit, name: str, device: torch.device
) -> None:
    model = build_model(name).to(device)
    quality = benchmark(evaluate, model, split, normalization="dataset", precision="fp32")
    benchmark.extra_info |= {
        "device": device.type,
        "num_images": len(split),
        "batch_size": BATCH_SIZES[device.type],
        "parameters": num_parameters(model),
    }
    assert sum(map(sum, quality.confusion)) == len(split)


def test_append(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    store, record = RunStore(tmp_path), make_sweep()[0]
    benchmark(store.append, record)
    benchmark.extra_info["record_bytes"] = len(record.to_json_line())
    assert store.read()[0] == record


def test_table(benchmark: BenchmarkFixture) -> None:
    records = make_sweep()
    rows = table_rows(summarize(records))
    benchmark.extra_info["rows"] = len(rows)
    assert benchmark(render_table, rows, width=120)
