"""Provided models: each file has its record and scores what that says; how they come there."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import UsageError
from bench.keep.provided import WEIGHTS, provided_models, provided_records
from bench.keep.saved_model import (
    load_model,
    read_saved,
    read_whole,
    saved_model_of,
    write_saved,
)
from bench.run.runner import execute_seeds
from bench.spec.artifacts import Artifacts
from bench.spec.budget import Budget
from bench.spec.named_recipes import CLASSIC, find_recipe
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec
from bench.train.evaluation import evaluate
from data_pipeline import place
from fmnist_models import ModelError, build_model
from results import RunRecord, RunStore
from tests.bench.keep.saved_by_hand import fashion_mnist
from tests.results.records_by_hand import make_record
from tests.tiers import slow_but
from tools.provide import provide

RESUME = {"progress": 1}


def scores_what_it_says(path: Path, record: RunRecord, data_root: Path) -> bool:
    """Whether a file gets as many test images right as its record tells, in its precision."""
    saved, data = read_saved(path), fashion_mnist(data_root)
    split = place(data.test_images, data.test_labels, "cpu", saved.input_size)
    precision = record.spec["precision"]
    quality = evaluate(load_model(saved), split, normalization=saved.normalize, precision=precision)
    correct = sum(row[label] for label, row in enumerate(quality.confusion))
    return correct == round((record.value("test_accuracy") or 0.0) * 10_000)


def test_every_file_has_a_record_every_record_a_file_and_nothing_else_lies_among_them() -> None:
    assert sorted(provided_records()) == list(provided_models())
    others = {path.name for path in WEIGHTS.glob("*")} - {"records.jsonl"}
    assert others == {f"{name}.pt" for name in provided_models()}


@pytest.mark.parametrize("name", slow_but({"v0", "v2"}, list(provided_models())))
def test_a_provided_model_scores_what_its_record_says(name: str, data_root: Path) -> None:
    path, record = provided_models()[name], provided_records()[name]
    saved = read_saved(path)
    assert (saved.name, read_whole(path)[1]) == (name, None)
    assert saved.trained["record_id"] == record.record_id
    assert saved.trained["seed"] == record.spec["seed"]
    assert scores_what_it_says(path, record, data_root)


def add_run(
    run: Path,
    model: str = "v0",
    seed: int = 0,
    *,
    recipe: str = "classic",
    which: str = "last",
    status: str = "ok",
    evaluation_split: str = "test",
) -> RunRecord:
    """A record and the file that it names, as `run --save` leaves them."""
    spec = {"recipe": {"name": recipe}, "evaluation_split": evaluation_split}
    record = make_record(model, seed, spec=spec, status=status, values={"test_accuracy": 0.8})
    path = Path("checkpoints") / f"{record.config_id}-{seed}-{which}.pt"
    record = replace(record, conditions={"saved": str(path)})
    RunStore(run).append(record)
    torch.manual_seed(seed)
    network = build_model(model if model in {"v0", "v1"} else "v0")
    trained = {"seed": seed, "which": which}
    saved = saved_model_of(network, name=model, recipe=CLASSIC, trained=trained)
    write_saved(run / path, saved, RESUME)
    return record


def refusal(run: Path, shelf: Path) -> str:
    """The line by which a run is refused, of which nothing is written."""
    with pytest.raises((UsageError, ModelError)) as refused:
        provide(run, None, shelf)
    assert "\n" not in str(refused.value)
    assert not shelf.exists()
    return str(refused.value)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "weights"


def test_the_file_that_the_record_names_is_provided_without_what_going_on_takes(
    run: Path, shelf: Path
) -> None:
    record = add_run(run, seed=3, which="best")
    assert provide(run, None, shelf) == ["v0"]
    assert list(provided_models(shelf)) == ["v0"]
    saved = read_saved(provided_models(shelf)["v0"])
    assert saved.trained["which"] == "best"
    assert saved.trained["record_id"] == record.record_id
    assert read_whole(provided_models(shelf)["v0"])[1] is None
    assert provided_records(shelf) == {"v0": record}


def test_of_several_seeds_the_lowest_that_ended_well_is_taken(run: Path, shelf: Path) -> None:
    for seed in (4, 2, 3):
        add_run(run, seed=seed)
    add_run(run, seed=1, status="diverged")
    provide(run, None, shelf)
    assert provided_records(shelf)["v0"].spec["seed"] == 2
    assert read_saved(provided_models(shelf)["v0"]).trained["seed"] == 2


def test_a_later_run_replaces_its_own_models_alone(tmp_path: Path, shelf: Path) -> None:
    add_run(tmp_path / "first", "v1")
    add_run(tmp_path / "first", "v0")
    add_run(tmp_path / "second", "v0", seed=7)
    provide(tmp_path / "first", None, shelf)
    provide(tmp_path / "second", None, shelf)
    records = provided_records(shelf)
    assert {name: record.spec["seed"] for name, record in records.items()} == {"v0": 7, "v1": 0}
    assert len((shelf / "records.jsonl").read_text().splitlines()) == 2


def test_of_two_recipes_one_must_be_named(run: Path, shelf: Path) -> None:
    add_run(run)
    add_run(run, recipe="default")
    assert refusal(run, shelf).endswith("holds v0 twice (classic, default); say --recipe NAME")
    provide(run, "default", shelf)
    assert provided_records(shelf)["v0"].spec["recipe"]["name"] == "default"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "crashed"},
        {"evaluation_split": "half of test"},
        {"model": "path/to/net.py:Net"},
    ],
    ids=str,
)
def test_what_cannot_be_provided_is_not(
    run: Path, shelf: Path, changes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.keep.saved_model.file_hash", lambda _name: None)
    monkeypatch.setattr("bench.keep.saved_model.model_info", lambda _name: CLASSIC)
    add_run(run, **changes)  # type: ignore[arg-type]  # a dict knows no argument by its type
    wanted = f"{run} has no saved model of a registered name that was scored on all test images"
    assert refusal(run, shelf).startswith(wanted)


def test_a_record_whose_file_is_gone_or_elsewhere_is_refused(run: Path, shelf: Path) -> None:
    record = add_run(run)
    (run / record.conditions["saved"]).unlink()
    assert refusal(run, shelf).startswith(f"there is no file {run}")
    elsewhere = replace(record, conditions={"saved": "../secret.pt"})
    (run / "records.jsonl").write_bytes(elsewhere.to_json_line())
    assert "names a file elsewhere" in refusal(run, shelf)


@pytest.mark.usefixtures("one_thread", "quick_collections")
def test_a_real_run_is_provided_and_scores_the_same(
    data_root: Path, run: Path, shelf: Path
) -> None:
    recipe = replace(find_recipe("classic"), precision="fp32")
    spec = RunSpec(model="v0", recipe=recipe, budget=Budget.parse("300steps"), plan=Plan(threads=1))
    artifacts = Artifacts(checkpoints=run / "checkpoints")
    (result,) = execute_seeds(spec, [0], device="cpu", data=data_root, artifacts=artifacts)
    RunStore(run).append(result.record)
    provide(run, None, shelf)
    assert (result.record.value("test_accuracy") or 0.0) > 0.5
    path, record = provided_models(shelf)["v0"], provided_records(shelf)["v0"]
    assert scores_what_it_says(path, record, data_root)
