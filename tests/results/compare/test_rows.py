"""What whole comparisons of nine rows come to where nothing changed, and where all got slower."""

import math
import random
from collections import Counter

import pytest

from results import RunRecord, compare_records
from results.gate.verdict import Commit, Verdict
from tests.results.compare.compare_by_hand import runs, without
from tests.tiers import slow_but

NUM_ROWS, NUM_COMPARISONS = 9, 80
PROCESS_SD, SEED_SD = 0.2 / math.sqrt(2), 0.03  # two processes of the same code differ by 20 %


def side(
    generator: random.Random, num_processes: int, num_seeds: int, factor: float
) -> list[RunRecord]:
    """Nine models, each run in so many processes of so many seeds."""
    records: list[RunRecord] = []
    for row in range(NUM_ROWS):
        for process in range(num_processes):
            level = factor * math.exp(generator.gauss(0, PROCESS_SD))
            seconds = [level * math.exp(generator.gauss(0, SEED_SD)) for _ in range(num_seeds)]
            made = runs([0.9] * num_seeds, f"m{row}", seconds=seconds, commit=f"{process}" * 16)
            records += [without(record, "energy") for record in made]
    return records


def shares(num_processes: int, num_seeds: int, factor: float) -> dict[int, float]:
    """How often a comparison ends with each exit code, over its speeds."""
    generator, commit = random.Random(5), Commit("x", "", "")
    codes: Counter[int] = Counter()
    for _ in range(NUM_COMPARISONS):
        base, head = (side(generator, num_processes, num_seeds, by) for by in (1.0, factor))
        speeds = [f for f in compare_records(base, head).findings if f.check == "speed"]
        codes[Verdict(base=commit, head=commit, findings=speeds, command="").exit_code] += 1
    return {code: codes[code] / NUM_COMPARISONS for code in (0, 1, 3)}


@pytest.mark.parametrize(
    ("num_processes", "num_seeds", "least_green"),
    slow_but({(1, 3, 0.7)}, [(1, 3, 0.7), (3, 2, 0.05), (5, 2, 0.1)]),
)
def test_nine_rows_of_the_same_code_are_hardly_ever_red(
    num_processes: int, num_seeds: int, least_green: float
) -> None:
    found = shares(num_processes, num_seeds, 1.0)
    assert found[1] <= 0.02
    assert found[0] >= least_green


@pytest.mark.parametrize(("num_processes", "num_seeds"), slow_but({(1, 3)}, [(1, 3), (3, 2)]))
def test_nine_rows_that_take_twice_as_long_are_red(num_processes: int, num_seeds: int) -> None:
    found = shares(num_processes, num_seeds, 2.0)
    assert found[1] >= 0.95
    assert found[0] == 0.0
