"""What a change of speed, energy, accuracy, memory and counts between two sets of runs comes to."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from results import RunRecord, compare_records
from results.compare import Rule
from tests.compare_by_hand import MIB, SEEDS, found, outcomes, runs


@pytest.mark.parametrize(
    ("factor", "outcome"),
    [
        (1.0, "same"),
        (1.09, "same"),
        (1.3, "unclear"),
        (1.7, "worse"),
        (0.8, "same"),
        (0.5, "better"),
    ],
)
def test_the_seeds_of_one_process_only_tell_a_gross_change_of_speed(
    factor: float, outcome: str
) -> None:
    slower = [seconds * factor for seconds in (2.00, 2.02, 1.98)]
    finding = found(compare_records(runs(), runs(seconds=slower)), "speed")
    assert (finding.outcome, finding.quantity) == (outcome, "seconds a step")
    assert finding.change == pytest.approx(factor - 1)
    assert finding.base == pytest.approx(2.0 / 1266, rel=1e-3)
    assert "3 and 3 runs, one process on a side" in finding.evidence
    assert f"to clear {-33.0 if factor < 1 else 49.2:+} %" in finding.evidence or factor == 1


@pytest.mark.parametrize(("factor", "outcome"), [(1.5, "unclear"), (1.09, "same"), (0.5, "same")])
def test_a_run_a_side_says_nothing_sure_of_speed(factor: float, outcome: str) -> None:
    comparison = compare_records(runs(SEEDS[:1]), runs(SEEDS[:1], seconds=[2 * factor]))
    finding = found(comparison, "speed")
    assert (finding.outcome, finding.evidence[:11]) == (outcome, "no interval")
    is_advised = any("gate --base" in note for note in comparison.notes)
    assert is_advised == (outcome == "unclear")


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
    assert finding.evidence.endswith("(3 and 3 processes)")


def test_seconds_are_those_of_an_image_where_the_batch_has_another_size() -> None:
    recipes = [{"recipe": {"name": "sgd", "batch_size": size}} for size in (128, 256)]
    base = runs(spec=recipes[0])
    head = runs(spec=recipes[1], values={"steps": 633.0})
    comparison = compare_records(base, head)
    finding = found(comparison, "speed")
    assert (finding.quantity, finding.outcome) == ("seconds an image", "same")
    assert comparison.notes == ("v0: the recipe has another batch_size",)


def noisy(generator: random.Random, num_seeds: int, factor: float = 1.0) -> list[RunRecord]:
    """One process of identical code; two of them differ by 20 % (standard deviation)."""
    level = factor * math.exp(generator.gauss(0, 0.2 / math.sqrt(2)))
    seconds = [level * math.exp(generator.gauss(0, 0.03)) for _ in range(num_seeds)]
    return runs([0.9] * num_seeds, seconds=seconds)


def test_identical_code_is_hardly_ever_red_and_twice_the_work_is_never_green() -> None:
    generator = random.Random(5)

    def share(outcome: str, factor: float) -> float:
        pairs = [(noisy(generator, 3), noisy(generator, 3, factor)) for _ in range(400)]
        speeds = [found(compare_records(*pair), "speed").outcome for pair in pairs]
        return speeds.count(outcome) / len(speeds)  # type: ignore[arg-type]

    assert share("worse", 1.0) <= 0.02
    assert share("same", 2.0) <= 0.01
    assert share("worse", 2.0) >= 0.75


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
    checks = {f.check for f in compare_records(counter, unknown).findings}
    assert "energy" not in checks


def without(record: RunRecord, quantity: str, reason: str = "no counter") -> RunRecord:
    measured = {name: m for name, m in record.measurements.items() if name != quantity}
    return replace(record, measurements=measured, missing={quantity: reason})


@pytest.mark.parametrize(
    ("base", "head", "outcome"),
    [
        (SEEDS, SEEDS, "same"),
        (SEEDS, (0.897, 0.900, 0.898), "same"),  # paired: -0.3 points, sure to a tenth
        (SEEDS, (0.880, 0.883, 0.881), "worse"),
        (SEEDS, (0.890, 0.892, 0.891), "same"),  # the margin itself, which may be lost
        (SEEDS, (0.84, 0.92, 0.88), "unclear"),
        (SEEDS, (0.88, 0.94, 0.92), "unclear"),
        (SEEDS, (0.920, 0.923, 0.921), "better"),
        ((0.7, 0.8, 0.9), (0.699, 0.799, 0.9), "same"),  # seeds differ much, pairs do not
        (SEEDS[:1], SEEDS[:1], "same"),
        (SEEDS[:1], (0.9001,), "unclear"),
        (SEEDS, SEEDS[:1], "unclear"),
        (SEEDS, SEEDS[:2], "same"),
    ],
)
def test_accuracy_is_paired_by_seed_and_held_to_the_margin(
    base: Sequence[float], head: Sequence[float], outcome: str
) -> None:
    finding = found(compare_records(runs(base), runs(head)), "accuracy")
    assert finding.outcome == outcome
    assert finding.change == pytest.approx((finding.head or 0) - (finding.base or 0))


@pytest.mark.parametrize(
    ("head", "outcome"),
    [
        (SEEDS, "same"),
        ((0.880, 0.883, 0.881), "worse"),
        ((0.7, 0.799, 0.9), "unclear"),
        ((0.930, 0.933, 0.931), "better"),
    ],
)
def test_other_seeds_are_not_paired(head: Sequence[float], outcome: str) -> None:
    finding = found(compare_records(runs(), runs(head, first_seed=7)), "accuracy")
    assert (finding.outcome, finding.evidence[-15:]) == (outcome, "(3 and 3 seeds)")


def test_evidence_of_accuracy_is_in_points() -> None:
    finding = found(compare_records(runs(), runs((0.880, 0.883, 0.881))), "accuracy")
    assert finding.evidence == "95 % interval -2.11 to -1.82 points (3 seeds, paired)"
    alone = found(compare_records(runs(SEEDS[:1]), runs((0.91,))), "accuracy")
    assert alone.evidence.startswith("one seed on a side: what seeds do is unknown")


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        (100, 100, "same"),
        (100, 109, "same"),
        (100, 111, "worse"),
        (100, 89, "better"),
        (20, 27, "same"),  # 35 %, but 7 MiB
        (20, 29, "worse"),
    ],
)
def test_memory_must_grow_by_a_tenth_and_by_8_mib(before: int, after: int, outcome: str) -> None:
    comparison = compare_records(runs(memory=before * MIB), runs(memory=after * MIB))
    finding = found(comparison, "memory")
    assert (finding.outcome, finding.base, finding.head) == (outcome, before * MIB, after * MIB)


@pytest.mark.parametrize(
    ("quantity", "name", "factor", "outcome", "evidence"),
    [
        ("flops_per_image", "FLOPs", 1.00002, "worse", "exact"),
        ("flops_per_image", "FLOPs", 0.5, "better", "exact"),
        ("num_params", "parameters", 1.01, "worse", "another model"),
        ("num_params", "parameters", 0.99, "worse", "another model"),
    ],
)
def test_any_difference_of_a_count_counts(
    quantity: str, name: str, factor: float, outcome: str, evidence: str
) -> None:
    value = runs()[0].value(quantity)
    assert value is not None
    comparison = compare_records(runs(), runs(values={quantity: value * factor}))
    finding = found(comparison, "counts", name)
    assert (finding.outcome, finding.evidence) == (outcome, evidence)


@pytest.mark.parametrize("quantity", ["test_accuracy", "peak_memory", "flops_per_image"])
def test_what_only_the_base_knows_is_unclear(quantity: str) -> None:
    head = [without(record, quantity) for record in runs()]
    (unclear,) = [f for f in compare_records(runs(), head).findings if f.outcome == "unclear"]
    assert unclear.evidence == "unknown on the head: no counter"
    assert "unclear" not in outcomes(compare_records(head, runs()))
    assert "unclear" not in outcomes(compare_records(head, head))


def test_the_rule_decides() -> None:
    slower, forgetful = runs(seconds=(3.3, 3.31, 3.32)), runs((0.885, 0.888, 0.886))
    assert found(compare_records(runs(), slower), "speed").outcome == "worse"
    lax = Rule(threshold=0.7, margin=0.02)
    assert found(compare_records(runs(), slower, lax), "speed").outcome == "same"
    assert found(compare_records(runs(), forgetful), "accuracy").outcome == "worse"
    assert found(compare_records(runs(), forgetful, lax), "accuracy").outcome == "same"
