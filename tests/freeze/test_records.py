"""Deterministic trainings of 20 steps give the records that they gave before any module moved.

`records.jsonl` has the frozen part of each model's record, eager and as one compiled step. Where a
commit means to change it, `UPDATE_GOLDEN=1 make test ARGS='-m "" tests/freeze/test_records.py'`
writes it anew: read the difference.

Machines round differently, and training amplifies it: at their own learning rates, nets with
BatchNorm were up to 18 % apart in loss after 20 steps. So the instructions are pinned, the rates
are low enough that rounding stays small, and the tolerances allow for machines that round otherwise
all the same. They are at least 6 times the largest relative difference in the loss of any step that
was seen between the pinned arithmetic and torch, oneDNN and MKL at AVX512 or at SSE:

- v0, v1, v1_fixed: 4e-7 (tolerance 1e-5)
- v2, resnet8, fashion_cnn, fashion_cnn_relu: 4e-7; resnet8_postrelu: 1.1e-5; alexnet224: 1.5e-5
  (1e-4)
- resnet4, resnet4_dropout: 3e-6; resnet18_3x3: 6e-5; resnet50: 9e-5; resnet18: 1.0e-4;
  alexnet: 1.4e-4 (1e-3)

Compiled steps (v0, v2, resnet8, fashion_cnn) differed by 5e-7. Of the 200 test images 6 went to
another class in alexnet224, whose logits are nearly equal by then, and none elsewhere; 12 may.
"""

import copy
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fmnist_models import list_models
from tests.freeze.frozen_record import Tolerance, differences, frozen_records
from tests.freeze.pinned_runs import run_pinned
from tests.tiers import DEEP, VARIANTS, slow_but

FILE = Path(__file__).parent / "records.jsonl"
EAGER, COMPILED = "threads:1", "channels_last,step,threads:1"
LARGE = ("alexnet224", "resnet18_3x3")  # the slowest: batches of 8, others of 32


@dataclass(frozen=True)
class Care:
    """How to train so that rounding does not grow, and what it may grow to."""

    learning_rate: str | None  # None for the model's own
    loss_tolerance: float  # relative


SLOW, SLOWER = Care("1e-4", 1e-4), Care("1e-5", 1e-3)  # the latter have many layers of BatchNorm
CARE = {
    **dict.fromkeys(("v0", "v1", "v1_fixed"), Care(None, 1e-5)),
    "alexnet": Care("1e-4", 1e-3),
    "alexnet224": Care("1e-5", 1e-4),
    **dict.fromkeys(("resnet4", "resnet4_dropout", "resnet18", "resnet18_3x3"), SLOWER),
    "resnet50": Care("1e-6", 1e-3),
}
QUICK = "v0,v1,v1_fixed"
CASES = slow_but(
    {(QUICK, EAGER)},
    [
        (QUICK, EAGER),
        *((model, EAGER) for model in list_models() if model not in QUICK.split(",")),
        *((model, COMPILED) for model in list_models()),
    ],
    nightly=[(model, COMPILED) for model in (*DEEP, *VARIANTS)],
)


def care_for(model: str) -> Care:
    return CARE.get(model, SLOW)


def options(models: str, plan: str) -> tuple[str, ...]:
    """What `run` is asked for, for models that take the same care."""
    (rate,) = {care_for(model).learning_rate for model in models.split(",")}
    settings = [f"batch_size={8 if models in LARGE else 32}"]
    settings += [] if rate is None else [f"learning_rate={rate}"]
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
        for line in differences(expected()[key], record, tolerance_for(record["spec"]["model"]))
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
    new["confusion"][0][0] += 99
    lines = differences(old, new, tolerance_for("v0"))
    assert [line.split(":")[0].split(" is ")[0] for line in lines] == [
        *("measurements.num_params.0", "measurements.num_params.1"),
        *("measurements.num_parameters.0", "measurements.num_parameters.1"),
        *("spec.recipe.weight_decay", "measurements.steps.1", "samples.loss.19", "confusion"),
    ]


def key_of(record: Mapping[str, Any]) -> str:
    return f"{record['spec']['model']}, {record['spec']['plan']}"


def tolerance_for(model: str) -> Tolerance:
    return Tolerance(loss=care_for(model).loss_tolerance, accuracy=0.06, images=12)


def expected() -> dict[str, dict[str, Any]]:
    """The records as they lie in the file, by model and plan."""
    records = map(json.loads, FILE.read_text(encoding="utf-8").splitlines())
    return {key_of(record): record for record in records}


def write(records: Mapping[str, Mapping[str, Any]]) -> None:
    lines = [f"{json.dumps(records[key])}\n" for key in sorted(records)]
    FILE.write_text("".join(lines), encoding="utf-8")
