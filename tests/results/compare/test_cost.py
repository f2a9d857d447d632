"""What a change of speed or energy comes to between two sets of runs, of a row or of nine."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from results import RunRecord, compare_records
from results.compare.compare import ADVICE
from results.gate.verdict import Commit, Verdict
from tests.results.compare.compare_by_hand import SEEDS, found, outcomes, runs, without
from tests.tiers import slow_but

BLIND = "one process a side shows nothing below 49 %; fmnist-bench gate measures in turns"


def unpowered(factor: float, num_seeds: int = 3, **fields: Any) -> list[RunRecord]:  # noqa: ANN401
    """Runs of one process that know no energy, so that there is one cost to judge."""
    seconds = [second * factor for second in (2.00, 2.02, 1.98)]
    made = runs(SEEDS[:num_seeds], seconds=seconds, **fields)
    return [without(record, "energy") for record in made]


@pytest.mark.parametrize(
    ("num_seeds", "factor", "outcome", "evidence"),
    [
        (3, 1.0, "same", BLIND),
        (3, 1.3, "same", BLIND),
        (3, 1.45, "same", BLIND),
        (3, 1.52, "unclear", ", needs +49.2 % (3 + 3 runs)"),
        (3, 1.7, "worse", ", needs +49.2 % (3 + 3 runs)"),
        (3, 0.8, "same", BLIND),
        (3, 0.5, "better", ", needs -33.0 % (3 + 3 runs)"),
        (1, 1.6, "unclear", "no interval, needs +49.2 % (1 + 1 runs)"),
        (1, 1.45, "same", BLIND),
        (1, 0.5, "same", BLIND),
    ],
)
def test_the_seeds_of_one_process_only_tell_a_gross_change_of_speed(
    num_seeds: int, factor: float, outcome: str, evidence: str
) -> None:
    comparison = compare_records(unpowered(1.0, num_seeds), unpowered(factor, num_seeds))
    finding = found(comparison, "speed")
    assert (finding.outcome, finding.quantity) == (outcome, "seconds a step")
    assert finding.change == pytest.approx(factor - 1)
    assert finding.base == pytest.approx(2.0 / 1266, rel=1e-3)
    assert finding.evidence.endswith(evidence)


@pytest.mark.parametrize(
    ("factor", "notes"),
    [
        (1.05, []),
        (1.3, [f"v0: more than 10 % up, but {BLIND}"]),
        (0.7, []),
        (1.5, [ADVICE]),  # unclear
        (3.0, [ADVICE]),  # worse
    ],
)
def test_a_comparison_advises_turns_wherever_speed_is_in_question(
    factor: float, notes: Sequence[str]
) -> None:
    comparison = compare_records(unpowered(1.0), unpowered(factor, commit="e" * 16))
    assert list(comparison.notes) == notes


def test_the_more_rows_the_more_one_process_must_show() -> None:
    def outcome(num_rows: int) -> str:
        base, head = (
            [run for n in range(num_rows) for run in unpowered(factor, model=f"m{n}")]
            for factor in (1.0, 1.7)
        )
        speeds = {f.outcome for f in compare_records(base, head).findings if f.check == "speed"}
        return speeds.pop()

    assert [outcome(number) for number in (1, 9)] == ["worse", "unclear"]


@pytest.mark.parametrize("reason", ["no reason given", "no counter"])
@pytest.mark.parametrize(
    ("quantity", "check"),
    [
        ("train_time", "speed"),
        ("steps", "speed"),
        ("energy", "energy"),
        ("images_seen", "energy"),
    ],
)
def test_a_cost_that_vanishes_is_unclear(quantity: str, check: str, reason: str) -> None:
    head = [without(run, quantity) for run in runs()]
    if reason != "no counter":
        head = runs(values={quantity: 0.0})
    unclear = [f for f in compare_records(runs(), head).findings if f.outcome == "unclear"]
    assert {(f.check, f.evidence) for f in unclear} == {(check, f"unknown on the head: {reason}")}
    assert "unclear" not in outcomes(compare_records(head, runs()))


def in_processes(*seconds: float) -> list[RunRecord]:
    """Two runs of each process, at 99 and 101 % of its seconds."""
    return [
        record
        for place, mean in enumerate(seconds)
        for record in runs(SEEDS[:2], seconds=[mean * 0.99, mean * 1.01], commit=f"{place}" * 16)
    ]


@pytest.mark.parametrize(
    ("head", "outcome"),
    [
        ((2.00, 2.02, 1.98), "same"),
        ((2.24, 2.26, 2.22), "worse"),  # 12 %
        ((2.16, 2.18, 2.14), "same"),  # 8 %, sure but below the threshold
        ((1.70, 2.30, 2.90), "unclear"),  # 10 % and more, but processes differ that much
        ((1.60, 1.62, 1.58), "better"),
    ],
)
def test_several_processes_tell_what_one_cannot(head: Sequence[float], outcome: str) -> None:
    finding = found(compare_records(in_processes(2.0, 2.02, 1.98), in_processes(*head)), "speed")
    assert finding.outcome == outcome
    assert finding.evidence.endswith("(3 + 3 processes)")


def test_an_interval_that_reaches_anywhere_is_not_told() -> None:
    base, head = in_processes(1.0, 2.0), in_processes(1.0, 40.0)
    finding = found(compare_records(base, head), "speed")
    assert finding.evidence == "no useful interval, needs +2.0 % (2 + 2 processes)"


def test_seconds_are_those_of_an_image_where_the_batch_has_another_size() -> None:
    small, large = ({"recipe": {"name": "sgd", "batch_size": size}} for size in (128, 256))
    comparison = compare_records(runs(spec=small), runs(spec=large, values={"steps": 633.0}))
    finding = found(comparison, "speed")
    assert (finding.quantity, finding.outcome) == ("seconds an image", "same")
    assert comparison.notes == ("v0: the recipe has another batch_size",)


def with_energy_method(records: list[RunRecord], method: str) -> list[RunRecord]:
    return [replace(record, conditions={"energy_method": method}) for record in records]


def test_energy_is_compared_where_it_is_known_and_measured_in_one_way() -> None:
    counter, power = (with_energy_method(runs(), name) for name in ("counter", "power"))
    hungry = with_energy_method(runs(values={"energy": 2000.0}), "counter")
    finding = found(compare_records(counter, hungry), "energy")
    assert (finding.quantity, finding.outcome) == ("joules an image", "worse")
    assert finding.head == pytest.approx(2000 / 162_000)
    skipped = found(compare_records(counter, power), "energy")
    assert skipped.outcome == "skipped"
    assert skipped.evidence == "measured by counter on the base, by power on the head"
    unknown = [without(record, "energy") for record in runs()]
    assert found(compare_records(counter, unknown), "energy").outcome == "unclear"
    assert "energy" not in {f.check for f in compare_records(unknown, counter).findings}


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
