"""Deterministic trainings of 20 steps give the records that they gave before any module moved.

`records.jsonl` has the frozen part of the record of each model, eager and as one compiled step;
`UPDATE_GOLDEN=1 make test ARGS='-m "slow or not slow" tests/freeze/test_records.py'` writes it anew.

Todo:
"""

import copy
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fmnist_models import list_models
from tests.freeze.frozen_record import Tolerance, differences, frozen_records
from tests.freeze.pinned_runs import run_pinned

FILE = Path(__file__).parent / "records.jsonl"
EAGER, COMPILED = "threads:1", "channels_last,step,threads:1"
QUICK = ("v0", "v1", "v1_fixed", "fashion_cnn")
LARGE = ("alexnet224", "resnet18_3x3")
STEADY = Tolerance(loss=1e-5, accuracy=0.03, images=1)
CHAOTIC = Tolerance(loss=1e-3, accuracy=0.03, images=2)
# at its own learning rate a training of these grows no rounding
WITH_OWN_RATE = (*QUICK, "alexnet", "alexnet224", "fashion_cnn_relu")
LOW_RATES = {"resnet50": "1e-6"}

CASES = [
    pytest.param(",".join(QUICK), EAGER, id="quick-eager"),
    *(
        pytest.param(model, plan, id=f"{model}-{plan}", marks=pytest.mark.slow)
        for plan in (EAGER, COMPILED)
        for model in list_models()
        if plan == COMPILED or model not in QUICK
    ),
]


def options(models: str, plan: str) -> tuple[str, ...]:
    """What `run` is asked for."""
    settings = [f"batch_size={8 if models in LARGE else 32}"]
    if not {*models.split(",")} <= {*WITH_OWN_RATE}:
        settings.append(f"learning_rate={LOW_RATES.get(models, '1e-5')}")
    given = [word for setting in settings for word in ("--set", setting)]
    return ("--models", models, "--plan", plan, "--budget", "20steps", *given)


@pytest.mark.parametrize(("models", "plan"), CASES)
def test_a_training_of_20_steps_gives_the_record_it_gave_before(
    data_root: Path, tmp_path: Path, models: str, plan: str
) -> None:
    """Catches a changed default, key, count, draw of a random number, or rule of arithmetic."""
    run_pinned(data_root, *options(models, plan), "--out", tmp_path)
    found = {key_of(record): record for record in frozen_records(tmp_path)}
    if os.environ.get("UPDATE_GOLDEN"):
        write(expected() | found)
    changed = [
        f"{key}: {line}"
        for key, record in found.items()
        for line in differences(expected()[key], record, tolerance_of(record["spec"]["model"]))
    ]
    assert not changed, "\n".join(changed)
    assert len(found) == len(models.split(","))


def test_every_model_has_a_record_of_either_plan() -> None:
    plans = ("resident,contiguous,eager,threads:1", "resident,channels_last,step,threads:1")
    assert set(expected()) == {f"{model}, {plan}" for model in list_models() for plan in plans}


def test_every_field_that_changes_is_named() -> None:
    """Otherwise the tests above might compare nothing."""
    old = expected()["v0, resident,contiguous,eager,threads:1"]
    new = copy.deepcopy(old)
    new["spec"]["recipe"]["weight_decay"] = 0.02
    new["measurements"]["steps"] = ["steps", 21]
    new["measurements"]["num_parameters"] = new["measurements"].pop("num_params")
    new["samples"]["loss"][19] *= 1.001
    new["confusion"][0][0] += 9
    lines = differences(old, new, STEADY)
    assert [line.split(":")[0].split(" is ")[0] for line in lines] == [
        *("measurements.num_params.0", "measurements.num_params.1"),
        *("measurements.num_parameters.0", "measurements.num_parameters.1"),
        *("spec.recipe.weight_decay", "measurements.steps.1", "samples.loss.19", "confusion"),
    ]


def key_of(record: Mapping[str, Any]) -> str:
    return f"{record['spec']['model']}, {record['spec']['plan']}"


def tolerance_of(model: str) -> Tolerance:
    return STEADY if model in WITH_OWN_RATE else CHAOTIC


def expected() -> dict[str, dict[str, Any]]:
    """The records as they lie in the file, by model and plan."""
    records = map(json.loads, FILE.read_text(encoding="utf-8").splitlines())
    return {key_of(record): record for record in records}


def write(records: Mapping[str, Mapping[str, Any]]) -> None:
    lines = [f"{json.dumps(records[key])}\n" for key in sorted(records)]
    FILE.write_text("".join(lines), encoding="utf-8")
