"""`run --target` on the real data: where runs end, what their records and the table say."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from results import RunStore
from tests.command_line import CPU, PLAN, Finished, assert_refused, read_lines, values

Run = Callable[..., Finished]
SOON = ("--models", "v0", "--budget", "400steps", *CPU)  # v0 is at 0.7 after some dozens of steps


@pytest.fixture
def run(on_data: Run) -> Run:
    return partial(on_data, "run")


def measured(record: dict[str, Any], quantity: str) -> float:
    (value,) = values(record, quantity)
    return float(value)


def test_a_run_ends_at_its_target_and_the_table_says_when(run: Run, tmp_path: Path) -> None:
    finished = run(*SOON, *PLAN, "--target", "0.70", "--out", tmp_path / "run")
    assert finished.returncode == 0, finished.stderr
    (record,) = read_lines(tmp_path / "run")
    assert record["spec"]["target"] == 0.7
    assert "reached_target" in record["flags"]
    assert record["curve"][-1][3] >= 0.7 > max([0.0, *(p[3] for p in record["curve"][:-1])])
    assert measured(record, "steps") < 400
    assert measured(record, "time_to_target") == pytest.approx(measured(record, "train_time"))
    assert 0 < measured(record, "train_accuracy") < 1
    assert record["confusion"]
    assert "to 70 %" in finished.stdout.splitlines()[1]
    assert "each run ended at 70 % on validation or with the budget." in finished.stdout
    assert "or to 0.70 on validation" in finished.stderr
    arrays = RunStore(tmp_path / "run").load_samples(RunStore(tmp_path / "run").read()[0])
    assert arrays["predictions"].shape == arrays["confidence"].shape == (10_000,)
    assert arrays["mistake_images"].shape == (24, 28, 28)
    assert arrays["features_2d"].shape == (1000, 2)
    assert arrays["class_counts"].tolist() == [5_400] * 10


def test_a_miss_is_infinite(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    few = ("--models", "v0", "--budget", "20steps", *CPU, *PLAN)
    finished = run(*few, "--target", "0.99", "--in-process", "--notes", "--out", folder)
    assert finished.returncode == 0, finished.stderr
    (record,) = read_lines(folder)
    assert measured(record, "steps") == 20
    assert record["missing"]["time_to_target"] == "never reached 0.99 on validation"
    (row,) = (line for line in finished.stdout.splitlines() if line.startswith("v0"))
    assert row.split()[2] == "∞"
    assert "∞: that accuracy was never reached" in finished.stdout
    other = run(*few, "--target", "0.98", "--resume", "--out", folder)
    assert_refused(other, "holds v0 under another specification")
