"""A run's specification: what is settled when, and what names a configuration."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from bench import RECIPES, Budget, Plan, Recipe, RunSpec, UsageError
from bench.spec import learning_rates
from bench.spec.run_spec import RATE_SOURCES

SPEC = RunSpec(model="v0", recipe=RECIPES["default"], budget=Budget(3, "epochs"))
OTHER_RECIPE: dict[str, Any] = {
    "name": "other",
    "source": "elsewhere",
    "optimizer": "adam",
    "learning_rate": 0.5,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "warmup_fraction": 0.0,
    "batch_size": 64,
    "drop_last": False,
    "label_smoothing": 0.1,
    "augment": (),
    "normalize": "half",
    "input_size": 16,
    "precision": "fp16",
    "validation_fraction": 0.0,
    "epochs": 9,
    "base_learning_rate": 0.001,
    "base_momentum": 0.4,
    "schedule_epochs": 3,
    "schedule_factor": 0.2,
    "schedule_patience": 3,
    "stop_patience": 20,
    "selection": "loss",
    "split": "half_test",
    "order": "sequential",
    "weights": "imagenet",
    "stem": "random",
    "trainable": "head",
    "frozen_batchnorm": "eval",
    "protocol": "as_published",
}
TRIANGLE: dict[str, Any] = {
    "schedule": "triangular",
    "warmup_fraction": 0.0,
    "learning_rate": 0.1,
    "base_learning_rate": 0.01,
    "epochs": 9,
    "schedule_epochs": 3,
}
OTHER_SPEC: dict[str, Any] = {
    "model": "v1",
    "budget": Budget(4, "epochs"),
    "plan": Plan(),
    "evaluation_split": "validation",
    "model_hash": "0123456789ab",
    "weights_hash": "0123456789ab",
    "learning_rate_source": "sweep",
    "is_deterministic": True,
    "target": 0.9,
}


@pytest.fixture
def _rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning_rates, "read_rates", lambda: {"base": 0.002, "v0": 0.01})


@pytest.mark.usefixtures("_rates")
@pytest.mark.parametrize(
    ("model", "own_rate", "rate", "source"),
    [
        ("v0", None, 0.01, "sweep"),
        ("mine", None, 0.002, "base"),
        ("base", None, 0.002, "base"),
        ("v0", 0.3, 0.3, "recipe"),
    ],
)
def test_where_the_learning_rate_comes_from(
    model: str, own_rate: float | None, rate: float, source: str
) -> None:
    recipe = replace(SPEC.recipe, learning_rate=own_rate)
    resolved = replace(SPEC, model=model, recipe=recipe).resolved_for("cpu")
    assert (resolved.recipe.learning_rate, resolved.learning_rate_source) == (rate, source)
    assert resolved.resolved_for("cpu") == resolved


def test_the_committed_table_has_a_base_rate_and_sane_rates() -> None:
    rates = learning_rates.read_rates()
    assert "base" in rates
    assert all(1e-6 < rate < 10 for rate in rates.values())


@pytest.mark.parametrize(
    ("asked", "device_kind", "precision"),
    [("auto", "cpu", "fp32"), ("auto", "cuda", "bf16"), ("fp16", "cpu", "fp16")],
)
def test_precision_is_settled_by_the_device(asked: str, device_kind: str, precision: str) -> None:
    spec = replace(SPEC, recipe=replace(SPEC.recipe, precision=asked))
    assert spec.resolved_for(device_kind).recipe.precision == precision


def test_there_is_another_value_for_every_field() -> None:
    assert set(OTHER_RECIPE) == {field.name for field in fields(Recipe)}
    untouched = {"recipe", "seed", "is_plan_chosen", "model_files"}  # the last is in the hash
    assert set(OTHER_SPEC) == {field.name for field in fields(RunSpec)} - untouched


def test_every_field_of_the_recipe_makes_another_configuration() -> None:
    # so that nesterov, a split that reads test images, or a triangle's lowest values can change
    open_recipe = replace(SPEC.recipe, optimizer="sgd", momentum=0.5, protocol="as_published")
    same = []
    for key in OTHER_RECIPE.keys() - {"source"}:
        recipe = SPEC.recipe if key == "protocol" else open_recipe
        recipe = replace(recipe, **TRIANGLE) if key.startswith("base_") else recipe
        changed = replace(recipe, **{key: OTHER_RECIPE[key]})
        if replace(SPEC, recipe=changed).config_id == replace(SPEC, recipe=recipe).config_id:
            same.append(key)
    assert same == []


def test_every_other_field_makes_another_configuration() -> None:
    changed = {key: replace(SPEC, **{key: value}) for key, value in OTHER_SPEC.items()}
    assert [key for key, spec in changed.items() if spec.config_id == SPEC.config_id] == []


def test_seed_and_chosen_plan_leave_the_configuration_as_it_is() -> None:
    chosen = replace(SPEC, seed=5).with_chosen_plan(Plan(threads=1))
    assert chosen.config_id == SPEC.config_id
    assert len(SPEC.config_id) == 12


def test_the_requested_plan_is_what_was_asked_for() -> None:
    plan = Plan(memory_format="channels_last")
    assert SPEC.requested_plan == "auto"
    assert SPEC.with_chosen_plan(plan).requested_plan == "auto"
    assert SPEC.with_chosen_plan(plan).as_plain()["plan"] == str(plan)
    assert replace(SPEC, plan=plan).requested_plan == str(plan)
    assert SPEC.as_plain()["plan"] == "auto"


def test_the_plain_form_is_json_and_says_where_the_rate_came_from() -> None:
    plain = SPEC.resolved_for("cpu").as_plain()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["recipe"]["learning_rate_source"] in set(RATE_SOURCES.values())
    assert (plain["budget"], plain["precision"], plain["seed"]) == ("3epochs", "fp32", 0)


def test_an_unknown_evaluation_split_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown evaluation split 'valid'"):
        replace(SPEC, evaluation_split="valid")
