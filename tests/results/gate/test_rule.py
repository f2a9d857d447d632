"""The rule of the gate on hand-made pairs."""

import math
from collections.abc import Sequence
from itertools import product
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from results.gate.pairs import (
    Pair,
    SpeedRule,
    estimate,
    holm,
    judge,
    percent,
    signed_rank_p,
    unsettled,
)

RULE = SpeedRule()
FEW = st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=9)


def pair(change: float, control: float = 0.0, step_s: float = 0.004) -> Pair:
    """A pair whose head is slower by a share, and whose second base by another."""
    again = step_s * (1 + control)
    head = math.sqrt(step_s * again) * (1 + change)
    return Pair((step_s,) * 3, (head,) * 3, (again,) * 3)


def pairs(changes: Sequence[float], control: float = 0.0) -> list[Pair]:
    """Pairs of one model."""
    return [pair(change, control) for change in changes]


def test_a_pair_is_of_all_its_turns_so_that_work_now_and_then_counts() -> None:
    found = Pair((1.0,) * 9, (*(1.0,) * 3, 2.8, *(1.0,) * 5), (1.0,) * 9)
    assert math.isclose(found.change, math.log(1.2))
    assert percent(found.change) == "+20.0 %"
    assert found.control == 0.0


def test_both_processes_of_the_base_count_in_a_pair() -> None:
    found = Pair((1.0,), (2.0,), (4.0,))
    assert math.isclose(found.change, 0.0, abs_tol=1e-12)
    assert math.isclose(found.control, math.log(4))


@given(FEW, st.floats(-0.1, 0.1))
def test_the_signed_rank_test_is_that_of_every_flip(values: list[float], shift: float) -> None:
    centred = [value - shift for value in values if value != shift]
    assume(len({abs(value) for value in centred}) == len(centred))  # seconds are never equal
    ranks = stats.rankdata([abs(value) for value in centred])
    seen = sum(rank for rank, value in zip(ranks, centred, strict=True) if value > 0)
    flips = [
        sum(rank for rank, is_up in zip(ranks, ups, strict=True) if is_up)
        for ups in product((False, True), repeat=len(centred))
    ]
    expected = sum(total >= seen for total in flips) / len(flips)
    assert math.isclose(signed_rank_p(values, shift), expected)


def test_the_signed_rank_test_bears_an_outlier() -> None:
    assert signed_rank_p([0.14] * 9 + [-0.6], 0.02) < 0.05


def test_five_pairs_that_agree_are_the_fewest_that_reject_and_more_models_need_more() -> None:
    assert signed_rank_p([0.1] * 5) == 1 / 32 <= RULE.error_rate
    assert [RULE.num_pairs(models) for models in (1, 2, 5, 9)] == [5, 6, 7, 8]
    for models in range(1, 40):
        assert 2.0 ** -RULE.num_pairs(models) <= RULE.error_rate / models


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), min_size=1, max_size=9))
def test_holm_rejects_what_stands_in_the_textbook(p_values: dict[str, float]) -> None:
    rejected = holm(p_values, 0.05)
    ordered = sorted(p_values.values())
    levels = [0.05 / (len(ordered) - rank) for rank in range(len(ordered))]
    failing = [rank for rank, p in enumerate(ordered) if p > levels[rank]]
    count = failing[0] if failing else len(ordered)
    assert sum(rejected.values()) == count
    assert all(p_values[name] <= 0.05 for name, is_rejected in rejected.items() if is_rejected)
    assert all(rejected[name] for name, p in p_values.items() if p <= 0.05 / len(p_values))


def test_what_is_slower_in_both_rounds_is_worse() -> None:
    first = {"v2": pairs([0.14, 0.16, 0.15, 0.17, 0.13])}
    assert unsettled(first, RULE) == ["v2"]
    (finding,) = judge(first, {"v2": pairs([0.15, 0.14, 0.16, 0.15, 0.13])}, RULE)
    assert finding.outcome == "worse"
    assert finding.change == pytest.approx(0.15, abs=0.002)
    assert (finding.base, finding.head) == pytest.approx((0.004, 0.0046), rel=0.002)
    assert finding.evidence == "10 pairs, +13.0 % to +17.0 %; base against itself +0.0 %"


def test_a_second_round_that_shows_nothing_is_no_failure() -> None:
    first = {"v2": pairs([0.12, 0.13, 0.11, 0.12, 0.14])}
    (finding,) = judge(first, {"v2": pairs([0.0, 0.01, -0.01, 0.02, 0.0])}, RULE)
    assert finding.outcome == "same"


def test_a_slow_down_below_the_threshold_passes_at_once() -> None:
    first = {"v2": pairs([0.08] * 5)}
    assert unsettled(first, RULE) == []
    assert judge(first, {}, RULE)[0].outcome == "same"
    strict = SpeedRule(threshold=0.05)
    assert unsettled(first, strict) == ["v2"]
    assert judge(first, first, strict)[0].outcome == "worse"


def test_a_large_estimate_over_pairs_that_disagree_is_unclear() -> None:
    noisy = {"v2": pairs([0.4, -0.3, 0.2, -0.4, 0.3, 0.12])}
    assert estimate(noisy["v2"]) > math.log1p(0.1)
    finding = judge(noisy, noisy, RULE)[0]
    assert finding.outcome == "unclear"
    assert finding.evidence.startswith("the pairs disagree")


@pytest.mark.parametrize(("second", "outcome"), [(0.06, "worse"), (0.04, "unclear")])
def test_the_second_round_must_show_half_of_the_threshold_itself(
    second: float, outcome: str
) -> None:
    first = {"v2": pairs([0.30] * 5)}
    assert judge(first, {"v2": pairs([second] * 5)}, RULE)[0].outcome == outcome


@pytest.mark.parametrize("control", [0.07, -0.07])
def test_a_base_that_differs_from_itself_gives_no_answer(control: float) -> None:
    first = {"v2": pairs([0.01] * 5, control)}
    assert unsettled(first, RULE) == ["v2"]
    finding = judge(first, first, RULE)[0]
    assert finding.outcome == "unclear"
    assert finding.evidence.startswith("the base differs from itself")


def test_what_is_slower_by_more_than_the_base_differs_is_worse_all_the_same() -> None:
    twice, slightly = ({"v2": pairs([change] * 5, 0.07)} for change in (1.0, 0.15))
    assert judge(twice, twice, RULE)[0].outcome == "worse"
    assert judge(slightly, slightly, RULE)[0].outcome == "unclear"


def test_all_pairs_faster_by_more_than_the_threshold_is_better() -> None:
    faster = {"v2": pairs([-0.2, -0.21, -0.22, -0.2, -0.2])}
    assert unsettled(faster, RULE) == []
    assert judge(faster, {}, RULE)[0].outcome == "better"


def test_models_are_judged_together_so_more_of_them_need_more_evidence() -> None:
    changes = [0.2, 0.21, 0.22, 0.19, 0.23, 0.01, 0.2]  # p = 2 of 128
    alone = judge({"v2": pairs(changes)}, {}, RULE)[0]
    same = {f"same{number}": pairs([0.0] * 7) for number in range(8)}
    beside = judge({"v2": pairs(changes)} | same, {}, RULE)[0]
    assert (alone.outcome, beside.outcome) == ("worse", "unclear")


@given(st.lists(st.floats(-0.5, 0.5), min_size=5, max_size=8), st.randoms())
def test_the_order_of_pairs_does_not_matter(changes: list[float], random: Random) -> None:
    shuffled = list(changes)
    random.shuffle(shuffled)
    first, second = ({"v2": pairs(values)} for values in (changes, shuffled))
    assert judge(first, {}, RULE)[0].outcome == judge(second, {}, RULE)[0].outcome


@given(st.lists(st.floats(-0.5, 0.095), min_size=5, max_size=8))
def test_nothing_below_the_threshold_in_every_pair_is_ever_worse(changes: list[float]) -> None:
    first = {"v2": pairs(changes)}
    assert judge(first, first, RULE)[0].outcome != "worse"
