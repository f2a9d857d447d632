"""What a change of speed, energy, accuracy, memory and counts between two sets of runs comes to."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from results import RunRecord, compare_records
from results.compare import Rule
from results.compare_notes import ADVICE
from tests.compare_by_hand import MIB, SEEDS, found, outcomes, runs

BLIND = "one process a side shows nothing below 49 %; fmnist-bench gate measures in turns"


@pytest.mark.parametrize(
    ("factor", "outcome", "needed"),
    [
        (1.0, "same", None),
        (1.3, "same", None),
        (1.45, "same", None),
        (1.52, "unclear", "+49.2"),
        (1.7, "worse", "+49.2"),
        (0.8, "same", None),
        (0.5, "better", "-33.0"),
    ],
)
def test_the_seeds_of_one_process_only_tell_a_gross_change_of_speed(
    factor: float, outcome: str, needed: str | None
) -> None:
    base, head = (unpowered(seconds) for seconds in (1.0, factor))
    finding = found(compare_records(base, head), "speed")
    assert (finding.outcome, finding.quantity) == (outcome, "seconds a step")
    assert finding.change == pytest.approx(factor - 1)
    assert finding.base == pytest.approx(2.0 / 1266, rel=1e-3)
    wanted = f", needs {needed} % (3 + 3 runs)" if needed else BLIND
    assert finding.evidence.endswith(wanted)


def unpowered(factor: float, num_seeds: int = 3, **fields: Any) -> list[RunRecord]:  # noqa: ANN401
    """Runs of one process that know no energy, so that there is one cost to judge."""
    seconds = [second * factor for second in (2.00, 2.02, 1.98)]
    made = runs(SEEDS[:num_seeds], seconds=seconds, **fields)
    return [without(record, "energy") for record in made]


@pytest.mark.parametrize(("factor", "outcome"), [(1.6, "unclear"), (1.45, "same"), (0.5, "same")])
def test_a_run_a_side_says_nothing_sure_of_speed(factor: float, outcome: str) -> None:
    comparison = compare_records(unpowered(1.0, 1), unpowered(factor, 1))
    finding = found(comparison, "speed")
    wanted = BLIND if outcome == "same" else "no interval, needs +49.2 % (1 + 1 runs)"
    assert (finding.outcome, finding.evidence) == (outcome, wanted)


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


def test_an_interval_that_reaches_anywhere_is_not_told() -> None:
    base, head = in_processes(1.0, 2.0), in_processes(1.0, 40.0)
    finding = found(compare_records(base, head), "speed")
    assert finding.evidence == "no useful interval, needs +2.0 % (2 + 2 processes)"


@pytest.mark.parametrize("quantity", ["train_time", "steps", "energy", "images_seen"])
@pytest.mark.parametrize("value", [0.0, -1.0, None])
def test_a_cost_that_vanishes_is_unclear(quantity: str, value: float | None) -> None:
    head = (
        [without(run, quantity) for run in runs()]
        if value is None
        else runs(values={quantity: value})
    )
    unclear = [f for f in compare_records(runs(), head).findings if f.outcome == "unclear"]
    assert {f.check for f in unclear} == {
        "energy" if quantity in {"energy", "images_seen"} else "speed"
    }
    reason = "no counter" if value is None else "no reason given"
    assert {f.evidence for f in unclear} == {f"unknown on the head: {reason}"}
    assert not [f for f in compare_records(head, runs()).findings if f.outcome == "unclear"]


@pytest.mark.parametrize("quantity", ["peak_memory", "num_params", "flops_per_image"])
def test_zero_of_what_is_never_zero_is_unknown(quantity: str) -> None:
    comparison = compare_records(runs(), runs(values={quantity: 0.0}))
    (unclear,) = [f for f in comparison.findings if f.outcome == "unclear"]
    assert unclear.evidence == "unknown on the head: no reason given"


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


def test_seconds_are_those_of_an_image_where_the_batch_has_another_size() -> None:
    recipes = [{"recipe": {"name": "sgd", "batch_size": size}} for size in (128, 256)]
    base = runs(spec=recipes[0])
    head = runs(spec=recipes[1], values={"steps": 633.0})
    comparison = compare_records(base, head)
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
        (SEEDS, (0.88, 0.94, 0.92), "same"),  # more at the mean, however unsure
        (SEEDS, (0.86, 0.92, 0.91), "same"),  # a loss within the margin, however unsure
        (SEEDS, (0.920, 0.923, 0.921), "better"),
        ((0.7, 0.8, 0.9), (0.699, 0.799, 0.9), "same"),  # seeds differ much, pairs do not
        (SEEDS[:1], SEEDS[:1], "same"),
        (SEEDS[:1], (0.9001,), "same"),
        (SEEDS[:1], (0.88,), "unclear"),
        (SEEDS, SEEDS[:1], "same"),
        (SEEDS, (0.88,), "unclear"),
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
    assert (finding.outcome, finding.evidence[-19:]) == (outcome, " over 3 and 3 seeds")


def test_evidence_of_accuracy_is_in_points() -> None:
    finding = found(compare_records(runs(), runs((0.880, 0.883, 0.881))), "accuracy")
    assert finding.evidence == "-2.0 points [-2.1, -1.8] over 3 seeds"  # as the gate says it
    alone = found(compare_records(runs(SEEDS[:1]), runs((0.91,))), "accuracy")
    assert alone.evidence == "+1.0 points with one seed: more are needed"
    equal = found(compare_records(runs(), runs()), "accuracy")
    assert equal.evidence == "the same in all 3 seeds"


@pytest.mark.parametrize(("num_shared", "is_paired"), [(10, True), (5, True), (4, False)])
def test_seeds_are_paired_where_half_of_each_side_are_shared(
    num_shared: int,
    is_paired: bool,
) -> None:
    accuracies = [0.9 + seed / 1000 for seed in range(10)]
    head = runs(accuracies, first_seed=10 - num_shared)
    finding = found(compare_records(runs(accuracies), head), "accuracy")
    numbers = f"{num_shared} seeds" if is_paired else "10 and 10 seeds"
    assert finding.evidence.endswith(f" over {numbers}") or num_shared == 10
    assert finding.change == pytest.approx(-(10 - num_shared) / 1000 if is_paired else 0.0)


def peaks(*mebibytes: int, first_seed: int = 0) -> list[RunRecord]:
    return [
        run
        for seed, size in enumerate(mebibytes, first_seed)
        for run in runs(SEEDS[:1], memory=size * MIB, first_seed=seed)
    ]


@pytest.mark.parametrize(
    ("base", "head", "outcome", "evidence"),
    [
        (peaks(100, 100, 100), peaks(100, 100, 200), "same", "median of 3 seeds, more in 1"),
        (peaks(100, 100, 100), peaks(99, 200, 200), "unclear", "median of 3 seeds, more in 2"),
        (peaks(100), peaks(100, 103, 98, 100, 101, 99, 111, first_seed=1), "same", None),
        (peaks(100, 102), peaks(120, 122, 124, first_seed=5), "worse", "median of 2 and 3 seeds"),
        (peaks(100, 102), peaks(80, 82, first_seed=5), "better", "median of 2 and 2 seeds"),
    ],
)
def test_memory_is_judged_by_the_median_and_by_every_seed_as_the_gate_does(
    base: list[RunRecord], head: list[RunRecord], outcome: str, evidence: str | None
) -> None:
    finding = found(compare_records(base, head), "memory")
    assert (finding.outcome, finding.evidence) == (outcome, evidence or finding.evidence)


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
