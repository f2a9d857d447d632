"""The whole of `execute` on the real data: it learns, repeats itself and keeps test data apart."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bench import RECIPES, Budget, Plan, RunSpec, execute
from bench.run.record import RunResult
from bench.run.runner import execute_seeds
from bench.spec.run_spec import RATE_SOURCES
from bench.train import session, splits
from bench.train.evaluation import Quality, evaluate
from bench.train.splits import load_splits
from data_pipeline import FashionMNIST, ResidentSplit, load_fashion_mnist
from results import RunRecord

SPEC = RunSpec(
    model="v0",
    recipe=RECIPES["classic"],
    budget=Budget(1000, "steps"),
    plan=Plan(threads=1),
)
WITH_CURVE = replace(
    SPEC,
    recipe=replace(SPEC.recipe, validation_fraction=0.1),
    budget=Budget(300, "steps"),
    is_deterministic=True,
)


@pytest.fixture(autouse=True)
def _process_is_put_back(one_thread: None, quick_collections: None) -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(False)


def run(spec: RunSpec, root: Path) -> RunResult:
    return next(execute_seeds(spec, [spec.seed], device="cpu", data=root))


@pytest.fixture(scope="module")
def result(data_root: Path) -> RunResult:
    """1000 steps of V0 with seed 0."""
    return run(SPEC, data_root)


def test_it_learns(result: RunResult) -> None:
    record = result.record
    assert (record.status, record.reason, record.flags) == ("ok", None, ("under_trained",))
    accuracy = record.value("test_accuracy")
    assert accuracy is not None
    assert accuracy > 0.77
    losses = result.samples["loss"]
    assert losses[:10].mean() > 1.8
    assert losses[-100:].mean() < 0.8


def test_its_record_is_whole(result: RunResult) -> None:
    record = result.record
    assert len(record.to_json_line()) < 4096
    assert record.confusion is not None
    assert [sum(row) for row in record.confusion] == [1000] * 10
    correct = sum(record.confusion[k][k] for k in range(10))
    assert record.value("test_accuracy") == correct / 10_000
    assert RunRecord.from_json_line(record.to_json_line()) == record
    assert record.environment["data_hash"] == "1cb5a4cf9ef3"
    assert (record.value("steps"), record.value("images_seen")) == (1000, 32_000)
    assert record.spec["recipe"]["learning_rate_source"] == RATE_SOURCES["recipe"]


def test_the_same_spec_gives_the_same_result(result: RunResult, data_root: Path) -> None:
    again = run(SPEC, data_root)
    assert (again.samples["loss"] == result.samples["loss"]).all()
    assert again.record.confusion == result.record.confusion
    assert again.record.config_id == result.record.config_id
    assert again.record.record_id != result.record.record_id


def test_another_seed_gives_another_result(result: RunResult, data_root: Path) -> None:
    record = execute(replace(SPEC, seed=1), device="cpu", data=data_root)
    assert record.status == "ok"
    assert record.confusion != result.record.confusion
    assert record.config_id == result.record.config_id


def test_a_mad_learning_rate_diverges_at_a_step(data_root: Path) -> None:
    recipe = replace(SPEC.recipe, learning_rate=900.0, momentum=0.99)
    record = execute(replace(SPEC, recipe=recipe), device="cpu", data=data_root)
    assert record.status == "diverged"
    assert "at step" in str(record.reason)
    assert record.value("test_accuracy") is None
    assert (record.value("train_time") or 0) > 0
    assert 0 < (record.value("steps") or 0) <= 1000


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"plan": Plan(parallel="dp")}, "at least two visible GPUs"),
        ({"recipe": replace(SPEC.recipe, precision="tf32")}, "tf32 exists on CUDA"),
    ],
    ids=["dp", "tf32"],
)
def test_what_a_cpu_cannot_do_is_a_row(
    changes: dict[str, object], reason: str, data_root: Path
) -> None:
    record = execute(replace(SPEC, **changes), device="cpu", data=data_root)  # type: ignore[arg-type]
    assert record.status == "unsupported"
    assert reason in str(record.reason)


def test_a_model_that_raises_is_a_row(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_name: str, _input_size: int | None) -> nn.Module:
        raise ValueError("no such layer")

    monkeypatch.setattr(session, "build_model", broken)
    record = execute(SPEC, device="cpu", data=data_root)
    assert record.status == "crashed"
    assert str(record.reason).startswith("ValueError: no such layer (test_learning.py:")


def test_training_and_validation_images_are_apart(data_root: Path) -> None:
    splits = load_splits(WITH_CURVE, torch.device("cpu"), data_root)
    assert splits.validation is not None
    whole = load_fashion_mnist(data_root)
    parts = (splits.train, splits.validation)
    assert [len(part) for part in parts] == [54_000, 6_000]
    pixels = sum(int(part.images.long().sum()) for part in parts)
    assert pixels == int(whole.train_images.long().sum())
    assert torch.equal(splits.test.images, whole.test_images)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Images of each evaluation, in their order."""
    sizes: list[int] = []

    def noted(model: torch.nn.Module, split: ResidentSplit, **options: Any) -> Quality:  # noqa: ANN401
        sizes.append(len(split))
        return evaluate(model, split, **options)

    monkeypatch.setattr(session, "evaluate", noted)
    return sizes


def test_the_test_images_are_read_once_at_the_end(evaluated: list[int], data_root: Path) -> None:
    record = execute(WITH_CURVE, device="cpu", data=data_root)
    assert evaluated[-1] == 10_000
    assert evaluated.count(10_000) == 1
    assert evaluated.count(6_000) == 11
    assert evaluated.count(5_000) == 1  # training images, to see how well they are fitted
    assert record.curve is not None
    assert record.curve[-1][3] == pytest.approx(record.value("test_accuracy"), abs=0.05)


def test_validation_never_reads_them(evaluated: list[int], data_root: Path) -> None:
    spec = replace(WITH_CURVE, evaluation_split="validation")
    record = execute(spec, device="cpu", data=data_root)
    assert 10_000 not in evaluated
    assert record.confusion is not None
    assert [sum(row) for row in record.confusion] == [600] * 10
    assert record.curve is not None
    # the same model on the same images; a curve is kept to a hundredth of an image
    assert record.curve[-1][3] == round(record.value("test_accuracy") or 0.0, 6)


@pytest.mark.slow
def test_other_test_images_change_nothing_before_the_end(
    monkeypatch: pytest.MonkeyPatch, data_root: Path
) -> None:
    def without_test_images(root: Path | None = None) -> FashionMNIST:
        return replace(loaded, test_images=torch.zeros_like(loaded.test_images))

    loaded = load_fashion_mnist(data_root)
    honest = run(WITH_CURVE, data_root)
    monkeypatch.setattr(splits, "load_fashion_mnist", without_test_images)
    blind = run(WITH_CURVE, data_root)
    assert (blind.samples["loss"] == honest.samples["loss"]).all()
    curves = [[point[1:] for point in r.record.curve or []] for r in (honest, blind)]
    assert curves[0] == curves[1] != []
    assert blind.record.value("test_accuracy") == 0.1
