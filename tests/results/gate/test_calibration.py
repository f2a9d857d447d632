"""The published calibration of the gate is what its recorded pairs come to."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.gate_calibration import (
    described,
    draw,
    lower_bound,
    read_sets,
    upper_bound,
)

TABLES = Path(__file__).parents[3] / "results" / "tables"
SETS = read_sets(TABLES / "gate-calibration-pairs.jsonl")


def test_the_spreads_are_those_of_the_pairs() -> None:
    text = (TABLES / "gate-calibration.md").read_text(encoding="utf-8")
    assert described(SETS) in text
    assert len(SETS[0.0]) * len(SETS[0.0][0]) >= 60


@pytest.mark.parametrize(
    ("slow_down", "least", "most"), [(0.0, 0, 0), (0.15, 54, 60), (0.3, 60, 60)]
)
def test_gates_drawn_from_them_come_out_as_published(
    slow_down: float, least: int, most: int
) -> None:
    outcomes = list(draw(SETS, slow_down, 3, 60))
    assert least <= sum(first == "worse" for first, *_ in outcomes) <= most
    assert not any("worse" in others for _, *others in outcomes)


def test_clopper_and_pearson() -> None:
    assert upper_bound(0, 200) == pytest.approx(1 - 0.05 ** (1 / 200))
    assert (lower_bound(0, 9), upper_bound(9, 9)) == (0.0, 1.0)
    assert lower_bound(200, 200) == pytest.approx(0.05 ** (1 / 200))


def test_the_whole_gates_of_identical_code_were_green() -> None:
    lines = (TABLES / "gate-calibration-live.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["exit_code"] for line in lines] == [0] * 20
