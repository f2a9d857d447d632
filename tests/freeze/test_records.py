"""Deterministic trainings of 20 steps give the records that they gave before any module moved.

`records.jsonl` has the frozen part of the record of each model, eager and as one compiled step;
`UPDATE_GOLDEN=1 make test ARGS='-m "slow or not slow" tests/freeze/test_records.py'` writes it anew.

TODO
"""

import json
import os
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
STEADY = Tolerance(loss=2e-5, accuracy=0.03, images=1)
CHAOTIC = Tolerance(loss=2e-2, accuracy=0.06, images=8)
TOLERANCES = {"resnet50": CHAOTIC}
OWN_RATE = ("v0", "v1", "v1_fixed", "fashion_cnn", "alexnet", "fashion_cnn_relu")


def options(models: str, plan: str) -> tuple[str, ...]:
    name = models.split(",", maxsplit=1)[0]
    size = "8" if name in LARGE else "32"
    rate = () if name in OWN_RATE else ("--set", "learning_rate=1e-5")
    wanted = ("--models", models, "--plan", plan, "--budget", "20steps")
    return (*wanted, "--set", f"batch_size={size}", *rate)


CASES = [
    pytest.param(",".join(QUICK), EAGER, id="quick-eager"),
    *(
        pytest.param(name, plan, id=f"{name}-{plan}", marks=pytest.mark.slow)
        for plan in (EAGER, COMPILED)
        for name in list_models()
        if plan == COMPILED or name not in QUICK
    ),
]


@pytest.mark.parametrize(("models", "plan"), CASES)
def test_a_training_of_20_steps_gives_the_record_it_gave_before(
    data_root: Path, tmp_path: Path, models: str, plan: str
) -> None:
    run_pinned(data_root, *options(models, plan), "--out", tmp_path)
    found = frozen_records(tmp_path)
    assert list(found) == models.split(",")
    if os.environ.get("UPDATE_GOLDEN"):
        write(plan, found)
    expected = read()[plan]
    for model, record in found.items():
        changed = differences(expected[model], record, TOLERANCES.get(model, STEADY))
        assert not changed, f"{model} under {plan}: {'; '.join(changed)}"
