"""The one published result that can be had to the digit: R4's V0 and V1, seed 42, three epochs."""

from pathlib import Path

import pytest

from bench import Budget, Plan, RunSpec, execute
from bench.spec.named_recipes import find_recipe
from results import RunRecord

pytestmark = pytest.mark.slow

DRESS = 3


@pytest.fixture(scope="module", params=["v0", "v1", "v1_fixed"])
def record(request: pytest.FixtureRequest, data_root: Path) -> RunRecord:
    spec = RunSpec(
        model=str(request.param),
        recipe=find_recipe("classic", "as_published"),
        budget=Budget(3, "epochs"),
        plan=Plan(threads=1),
        seed=42,
    )
    return execute(spec, device="cpu", data=data_root)


def test_accuracy_and_loss_are_those_of_the_course(record: RunRecord) -> None:
    expected = {"v0": (0.8341, 0.47687), "v1": (0.7500, 0.68546), "v1_fixed": (0.8398, 0.45768)}
    accuracy, loss = expected[record.spec["model"]]
    assert record.value("test_accuracy") == pytest.approx(accuracy, abs=1e-9)
    assert record.value("test_loss") == pytest.approx(loss, abs=1e-4)


def test_only_the_last_relu_kills_a_class(record: RunRecord) -> None:
    assert record.confusion is not None
    predicted = [sum(row[k] for row in record.confusion) for k in range(10)]
    dead = [k for k, count in enumerate(predicted) if count == 0]
    assert dead == ([DRESS] if record.spec["model"] == "v1" else [])
