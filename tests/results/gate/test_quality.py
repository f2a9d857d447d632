"""Quality of two commits: the rule on hand-made values and records."""

from collections.abc import Sequence
from dataclasses import asdict, replace

import pytest

from results import RunRecord
from results.gate.quality import QualityRule, judge_accuracy, judge_memory, judge_quality
from results.gate.verdict import Finding
from tests.results.gate.quality_by_hand import BASE, MIB, RULE, failed, shifted, trained


def judged(*points: float) -> Finding:
    return judge_accuracy("v2", BASE, shifted(*points), RULE)


@pytest.mark.parametrize(
    ("points", "outcome"),
    [
        ((0.0, 0.0, 0.0), "same"),
        ((-1.0, -1.0, -1.0), "same"),  # just the margin
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


def test_the_margin_is_the_rules() -> None:
    head = shifted(-2.1, -2.0, -2.2)
    assert judge_accuracy("v2", BASE, head, QualityRule(margin=0.03)).outcome == "same"


def test_a_lost_accuracy_in_figures() -> None:
    mean = sum(BASE.values()) / 6
    assert asdict(judged(-2.1, -2.0, -2.2, -1.7, -2.5, -2.1)) == {
        "check": "accuracy",
        "model": "v2",
        "quantity": "validation accuracy",
        "outcome": "worse",
        "base": pytest.approx(mean),
        "head": pytest.approx(mean - 0.021),
        "change": pytest.approx(-0.021),
        # by hand: s = 0.2608 points, t(5) = 2.5706, half-width 0.2737
        "evidence": "-2.1 points [-2.4, -1.8] over 6 seeds",
    }


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
        ((30, 30, 30), (38, 38, 38), "same"),  # 8 MiB: not more than what can be told
        ((38, 38, 38), (30, 30, 30), "same"),
        ((30, 30, 30), (39, 39, 39), "worse"),
        ((100,), (120,), "worse"),
        ((112, 114, 113), (100, 101, 99), "better"),
        ((112, 90, 113), (100, 101, 99), "same"),
    ],
)
def test_a_peak(base: Sequence[float], head: Sequence[float], outcome: str) -> None:
    assert memory(base, head).outcome == outcome


def test_a_grown_peak_in_figures() -> None:
    assert asdict(memory((100, 130, 100), (120, 125, 120))) == {
        "check": "memory",
        "model": "v2",
        "quantity": "peak memory",
        "outcome": "unclear",
        "base": 100 * MIB,
        "head": 120 * MIB,
        "change": pytest.approx(0.2),
        "evidence": "median of 3 seeds, more in 2",
    }


@pytest.mark.parametrize(
    "rule", [QualityRule(memory_threshold=0.15), QualityRule(least_memory_bytes=20 * MIB)]
)
def test_the_thresholds_are_the_rules(rule: QualityRule) -> None:
    assert memory((100, 100), (112, 112), rule).outcome == "same"


@pytest.mark.parametrize("base", [{}, {0: 0.0}])
def test_an_unknown_peak_is_skipped_with_its_reason(base: dict[int, float]) -> None:
    finding = judge_memory("v2", base, {0: 1.0}, RULE)
    assert (finding.outcome, finding.evidence) == ("skipped", "no seed has a peak on both commits")


def without(quantity: str) -> RunRecord:
    """A run of seed 1 that has not measured something."""
    run = trained(1, BASE[1])
    measured = {name: value for name, value in run.measurements.items() if name != quantity}
    return replace(run, measurements=measured, missing={quantity: "no /proc here"})


FINE = [trained(seed, BASE[seed]) for seed in range(3)]
FAILED, ALL_FAILED = [failed(0), *FINE[1:]], [failed(0), failed(1), FINE[2]]
BOUNDLESS = failed(2, "out_of_memory", "tried to allocate 96 GiB")
DIVERGED = "diverged: the loss became nan"
SAME = ("accuracy", "same", "the same in all 3 seeds")
ALIKE = ("memory", "same", "median of 3 seeds, more in 0")
UNUSABLE = ("run", "unusable", f"on the base: seed 0 {DIVERGED}")
LOST = "no longer measured with seed 1"


@pytest.mark.parametrize(
    ("base", "head", "findings"),
    [
        (FINE, FINE, [SAME, ALIKE]),
        (FINE, [FINE[0], failed(1), BOUNDLESS], [("run", "worse", f"seed 1 {DIVERGED}")]),
        (
            FINE,
            [*FINE[:2], failed(2, "out_of_memory", "")],
            [("run", "worse", "seed 2 out of memory")],
        ),
        (FAILED, FINE, [UNUSABLE]),
        (FAILED, FAILED, [UNUSABLE]),  # the head is not worse
        (FAILED, ALL_FAILED, [UNUSABLE, ("run", "worse", f"seed 1 {DIVERGED}")]),
        (
            [without("peak_memory")],
            FINE,
            [("accuracy", "same", "the same in 1 seed"), ("memory", "skipped", "no /proc here")],
        ),
        (FINE, [FINE[0], without("test_accuracy"), FINE[2]], [("accuracy", "worse", LOST), ALIKE]),
        (FINE, [FINE[0], without("peak_memory"), FINE[2]], [SAME, ("memory", "worse", LOST)]),
    ],
)
def test_records(
    base: Sequence[RunRecord], head: Sequence[RunRecord], findings: list[tuple[str, str, str]]
) -> None:
    found = judge_quality("v2", base, head, RULE)
    assert [(finding.check, finding.outcome, finding.evidence) for finding in found] == findings
