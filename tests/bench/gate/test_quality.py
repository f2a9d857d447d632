"""Quality of two commits: the rule on hand-made values and records."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from results import RunRecord
from results.gate.quality import QualityRule, judge_accuracy, judge_memory, judge_quality
from results.gate.verdict import Finding
from tests.results.records_by_hand import make_record

RULE = QualityRule()
MIB = 2**20
BASE = dict(enumerate([0.851, 0.843, 0.848, 0.846, 0.852, 0.844]))


def shifted(*points: float) -> dict[int, float]:
    """Accuracies of the head: the base's with so many points more, by seed."""
    return {seed: BASE[seed] + point / 100 for seed, point in enumerate(points)}


def judged(*points: float) -> Finding:
    return judge_accuracy("v2", BASE, shifted(*points), RULE)


@pytest.mark.parametrize(
    ("points", "outcome"),
    [
        ((0.0, 0.0, 0.0), "same"),
        ((0.1, -0.2, 0.0), "same"),
        ((-0.8, -0.8, -0.8), "same"),  # less, and surely not by a point
        ((-2.1, -2.0, -2.2), "worse"),
        ((-1.5, -1.5, -1.5), "worse"),
        ((-2.0, 0.0, -2.0), "unclear"),  # a mean of -1.33, but the interval holds zero
        ((-0.9, -0.7, -1.3), "unclear"),  # surely less, but perhaps by less than a point
        ((0.5, -1.5, 1.0), "unclear"),
        ((2.0, 2.1, 1.9), "better"),
        ((0.8, 0.8, 0.9), "same"),
        ((0.0,), "same"),
        ((-0.1,), "unclear"),
        ((-5.0,), "unclear"),
        ((5.0,), "unclear"),
    ],
)
def test_an_accuracy(points: Sequence[float], outcome: str) -> None:
    assert judged(*points).outcome == outcome


def test_a_lost_accuracy_in_figures() -> None:
    finding = judged(-2.1, -2.0, -2.2, -1.7, -2.5, -2.1)
    assert (finding.check, finding.quantity) == ("accuracy", "validation accuracy")
    assert finding.base == pytest.approx(sum(BASE.values()) / 6)
    assert finding.head == pytest.approx(sum(BASE.values()) / 6 - 0.021)
    assert finding.change == pytest.approx(-0.021)
    # by hand: s = 0.2608 points, t(5) = 2.5706, half-width 0.2737
    assert finding.evidence == "-2.1 points [-2.4, -1.8] over 6 seeds"


def test_evidence_in_words() -> None:
    assert judged(0.0, 0.0, 0.0).evidence == "the same in all 3 seeds"
    assert judged(0.0).evidence == "the same in 1 seed"
    assert judged(-5.0).evidence == "-5.0 points with one seed: more are needed"
    assert judged(-0.02, 0.01).evidence.startswith("+0.0 points [")  # no minus before zero


def test_seeds_are_paired_by_number() -> None:
    head = {5: BASE[5], 1: BASE[1], 0: BASE[0], 9: 0.1}
    finding = judge_accuracy("v2", BASE, head, RULE)
    assert (finding.outcome, finding.evidence) == ("same", "the same in all 3 seeds")
    assert judge_accuracy("v2", BASE, {9: 0.9}, RULE).outcome == "unclear"


def test_the_margin_is_the_rules() -> None:
    head = shifted(-2.1, -2.0, -2.2)
    assert judge_accuracy("v2", BASE, head, QualityRule(margin=0.03)).outcome == "same"


accuracies = st.dictionaries(st.integers(0, 9), st.floats(0, 1), min_size=1)
peaks = st.dictionaries(st.integers(0, 9), st.floats(1, 2**36), min_size=1)


@given(values=accuracies)
def test_an_identical_accuracy_is_the_same(values: dict[int, float]) -> None:
    assert judge_accuracy("v2", values, values, RULE).outcome == "same"


@given(base=accuracies, head=accuracies)
def test_what_is_worse_has_lost_the_margin_and_is_better_the_other_way(
    base: dict[int, float], head: dict[int, float]
) -> None:
    finding = judge_accuracy("v2", base, head, RULE)
    if finding.outcome == "worse":
        assert finding.change is not None
        assert finding.change < -RULE.margin
        assert judge_accuracy("v2", head, base, RULE).outcome in {"better", "same", "unclear"}


@given(base=accuracies, head=accuracies, order=st.randoms(use_true_random=False))
def test_the_order_of_seeds_does_not_matter(
    base: dict[int, float],
    head: dict[int, float],
    order: Any,  # noqa: ANN401
) -> None:
    names = [*head]
    order.shuffle(names)
    other = {seed: head[seed] for seed in names}
    assert judge_accuracy("v2", base, other, RULE) == judge_accuracy("v2", base, head, RULE)
    assert judge_memory("v2", base, other, RULE) == judge_memory("v2", base, head, RULE)


def memory(base: Sequence[float], head: Sequence[float], rule: QualityRule = RULE) -> Finding:
    """The judgement over peaks in MiB."""
    before, after = ({seed: peak * MIB for seed, peak in enumerate(side)} for side in (base, head))
    return judge_memory("v2", before, after, rule)


@pytest.mark.parametrize(
    ("base", "head", "outcome"),
    [
        ((100, 101, 99), (100, 101, 99), "same"),
        ((100, 101, 99), (109, 110, 108), "same"),  # below 10 %
        ((100, 101, 99), (112, 114, 113), "worse"),
        ((100, 130, 99), (112, 114, 113), "unclear"),  # one seed took less
        ((30, 30, 30), (37, 37, 37), "same"),  # 7 MiB: below what can be told
        ((30, 30, 30), (39, 39, 39), "worse"),
        ((100,), (120,), "worse"),
        ((112, 114, 113), (100, 101, 99), "better"),
        ((112, 90, 113), (100, 101, 99), "same"),
    ],
)
def test_a_peak(base: Sequence[float], head: Sequence[float], outcome: str) -> None:
    assert memory(base, head).outcome == outcome


def test_a_grown_peak_in_figures() -> None:
    finding = memory((100, 130, 100), (120, 125, 120))
    assert (finding.check, finding.quantity, finding.outcome) == (
        "memory",
        "peak memory",
        "unclear",
    )
    assert (finding.base, finding.head) == (100 * MIB, 120 * MIB)
    assert finding.change == pytest.approx(0.2)
    assert finding.evidence == "median of 3 seeds, more in 2"


def test_the_thresholds_are_the_rules() -> None:
    assert memory((100, 100), (112, 112), QualityRule(memory_threshold=0.15)).outcome == "same"
    assert (
        memory((100, 100), (112, 112), QualityRule(least_memory_bytes=20 * MIB)).outcome == "same"
    )


def test_an_unknown_peak_is_skipped_with_its_reason() -> None:
    finding = judge_memory("v2", {}, {0: 1.0}, RULE, "no /proc here")
    assert (finding.outcome, finding.evidence) == ("skipped", "no /proc here")


@given(values=peaks)
def test_an_identical_peak_is_the_same(values: dict[int, float]) -> None:
    assert judge_memory("v2", values, values, RULE).outcome == "same"


@given(base=peaks, factor=st.floats(0.5, 2))
def test_a_peak_is_worse_only_beyond_both_thresholds(base: dict[int, float], factor: float) -> None:
    head = {seed: value * factor for seed, value in base.items()}
    finding = judge_memory("v2", base, head, RULE)
    assert finding.base is not None
    growth = finding.base * (factor - 1)
    assume(abs(growth - RULE.least_memory_bytes) > 1 and abs(factor - 1.1) > 1e-9)
    is_grown = factor > 1.1 and growth > RULE.least_memory_bytes
    assert (finding.outcome == "worse") == is_grown


def trained(
    seed: int, accuracy: float, *, mebibytes: float = 50.0, status: str = "ok", reason: str = ""
) -> RunRecord:
    measured = {"test_accuracy": accuracy, "peak_memory": mebibytes * MIB}
    values = measured if status == "ok" else {}
    return make_record("v2", seed, values=values, status=status, reason=reason or None)


def failed(seed: int, status: str = "diverged", reason: str = "the loss became nan") -> RunRecord:
    return trained(seed, 0.0, status=status, reason=reason)


def both(base: Sequence[RunRecord], head: Sequence[RunRecord]) -> list[tuple[str, str, str]]:
    found = judge_quality("v2", base, head, RULE)
    return [(finding.check, finding.outcome, finding.evidence) for finding in found]


FINE = [trained(seed, BASE[seed]) for seed in range(3)]


def test_records_that_are_alike() -> None:
    assert both(FINE, FINE) == [
        ("accuracy", "same", "the same in all 3 seeds"),
        ("memory", "same", "median of 3 seeds, more in 0"),
    ]


def test_a_run_that_fails_on_the_head_is_worse() -> None:
    head = [FINE[0], failed(1), failed(2, "out_of_memory", "tried to allocate 96 GiB")]
    assert both(FINE, head) == [("run", "worse", "seed 1 diverged: the loss became nan")]
    assert both(FINE, [failed(0, "out_of_memory", ""), *FINE[1:]]) == [
        ("run", "worse", "seed 0 out of memory")
    ]


def test_a_run_that_fails_on_the_base_is_no_answer() -> None:
    base = [failed(0), *FINE[1:]]
    wanted = ("run", "unusable", "on the base: seed 0 diverged: the loss became nan")
    assert both(base, FINE) == [wanted]
    assert both(base, [failed(0), *FINE[1:]]) == [wanted]  # the head is not worse
    assert both(base, [failed(0), failed(1), FINE[2]])[1][:2] == ("run", "worse")


def test_an_unknown_peak_of_records_says_why() -> None:
    base = [make_record("v2", values={"test_accuracy": 0.8}, missing={"peak_memory": "no /proc"})]
    assert both(base, FINE)[1] == ("memory", "skipped", "no /proc")


@pytest.mark.parametrize("quantity", ["test_accuracy", "peak_memory"])
def test_what_the_head_no_longer_measures_is_worse(quantity: str) -> None:
    values = {"test_accuracy": BASE[1], "peak_memory": 50.0 * MIB}
    del values[quantity]
    head = [FINE[0], make_record("v2", 1, values=values), FINE[2]]
    found = both(FINE, head)
    assert [outcome for _, outcome, _ in found].count("worse") == 1
    assert found[quantity == "peak_memory"][1:] == ("worse", "no longer measured with seed 1")
