"""What a change of accuracy, memory and counts between two sets of runs comes to."""

from collections.abc import Sequence

import pytest

from results import RunRecord, compare_records
from results.compare.checks import Rule
from tests.results.compare.compare_by_hand import MIB, SEEDS, found, outcomes, runs, without


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


@pytest.mark.parametrize(
    ("base", "head", "evidence"),
    [
        (SEEDS, (0.880, 0.883, 0.881), "-2.0 points [-2.1, -1.8] over 3 seeds"),  # as the gate
        (SEEDS[:1], (0.91,), "+1.0 points with one seed: more are needed"),
        (SEEDS, SEEDS, "the same in all 3 seeds"),
    ],
)
def test_evidence_of_accuracy_is_in_points(
    base: Sequence[float], head: Sequence[float], evidence: str
) -> None:
    assert found(compare_records(runs(base), runs(head)), "accuracy").evidence == evidence


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
    one_shared = found(compare_records(runs(SEEDS[:2]), runs(SEEDS[:2], first_seed=1)), "accuracy")
    assert one_shared.evidence.endswith(" over 2 and 2 seeds")  # no pair


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


def forgetful(quantity: str) -> list[RunRecord]:
    return [without(record, quantity) for record in runs()]


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (forgetful("test_accuracy"), "no counter"),
        (forgetful("peak_memory"), "no counter"),
        (forgetful("flops_per_image"), "no counter"),
        # zero of what is never zero is unknown as well
        (runs(values={"peak_memory": 0.0}), "no reason given"),
        (runs(values={"num_params": 0.0}), "no reason given"),
        (runs(values={"flops_per_image": 0.0}), "no reason given"),
    ],
)
def test_what_only_the_base_knows_is_unclear(head: list[RunRecord], reason: str) -> None:
    (unclear,) = [f for f in compare_records(runs(), head).findings if f.outcome == "unclear"]
    assert unclear.evidence == f"unknown on the head: {reason}"
    assert "unclear" not in outcomes(compare_records(head, runs()))
    assert "unclear" not in outcomes(compare_records(head, head))


def test_the_rule_decides() -> None:
    head = runs((0.885, 0.888, 0.886), seconds=(3.3, 3.31, 3.32))
    for rule, outcome in ((Rule(), "worse"), (Rule(threshold=0.7, margin=0.02), "same")):
        comparison = compare_records(runs(), head, rule)
        assert {found(comparison, check).outcome for check in ("speed", "accuracy")} == {outcome}
