"""The rule of the gate on hand-made pairs."""

import math
from collections.abc import Sequence

import pytest

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


def pairs(changes: Sequence[float], control: float = 0.0, step_s: float = 0.004) -> list[Pair]:
    """Pairs whose heads are slower by a share each, and whose second base by another."""
    again = step_s * (1 + control)
    heads = [math.sqrt(step_s * again) * (1 + change) for change in changes]
    return [Pair((step_s,) * 3, (head,) * 3, (again,) * 3) for head in heads]


def test_a_pair_is_of_all_its_turns_so_that_work_now_and_then_counts() -> None:
    found = Pair((1.0,) * 9, (*(1.0,) * 3, 2.8, *(1.0,) * 5), (1.0,) * 9)
    assert math.isclose(found.change, math.log(1.2))
    assert percent(found.change) == "+20.0 %"
    assert found.control == 0.0


def test_both_processes_of_the_base_count_in_a_pair() -> None:
    found = Pair((1.0,), (2.0,), (4.0,))
    assert math.isclose(found.change, 0.0, abs_tol=1e-12)
    assert math.isclose(found.control, math.log(4))


@pytest.mark.parametrize(
    ("values", "p"),
    [
        ([0.1] * 5, 1 / 32),  # the fewest pairs that reject at 5 %
        ([0.1] * 4, 1 / 16),
        ([-0.1] * 5, 1.0),
        ([0.3, 0.2, 0.4, -0.1], 2 / 16),  # of all flips, two have so large a sum of ranks
    ],
)
def test_the_signed_rank_test_is_exact_and_one_sided(values: list[float], p: float) -> None:
    assert math.isclose(signed_rank_p(values), p)
    assert math.isclose(signed_rank_p([value + 0.2 for value in values], 0.2), p)


def test_the_signed_rank_test_bears_an_outlier() -> None:
    assert signed_rank_p([0.14] * 9 + [-0.6], 0.02) < 0.05


def test_more_models_need_more_pairs() -> None:
    assert [RULE.num_pairs(models) for models in (1, 2, 5, 9)] == [5, 6, 7, 8]
    for models in range(1, 40):
        assert 2.0 ** -RULE.num_pairs(models) <= RULE.error_rate / models


@pytest.mark.parametrize(
    ("p_values", "rejected"),
    [
        ([0.005, 0.012, 0.03, 0.04], [True, True, False, False]),  # 0.03 stops it, at 0.05 / 2
        ([0.05, 0.025], [True, True]),
        ([0.03, 0.026], [False, False]),
        ([0.05], [True]),
    ],
)
def test_holm_rejects_what_stands_in_the_textbook(
    p_values: list[float], rejected: list[bool]
) -> None:
    assert list(holm({str(p): p for p in p_values}, 0.05).values()) == rejected


def test_what_is_slower_in_both_rounds_is_worse() -> None:
    first = {"v2": pairs([0.14, 0.16, 0.15, 0.17, 0.13])}
    (finding,) = judge(first, {"v2": pairs([0.15, 0.14, 0.16, 0.15, 0.13])}, RULE)
    assert finding.outcome == "worse"
    assert finding.change == pytest.approx(0.15, abs=0.002)
    assert (finding.base, finding.head) == pytest.approx((0.004, 0.0046), rel=0.002)
    assert finding.evidence == "10 pairs, +13.0 % to +17.0 %; base against itself +0.0 %"


@pytest.mark.parametrize(
    ("first", "second", "control", "outcome"),
    [
        ([0.08] * 5, None, 0.0, "same"),  # below the threshold
        ([-0.2, -0.21, -0.22, -0.2, -0.2], None, 0.0, "better"),
        ([-0.2, -0.21, -0.22, -0.2, 0.01], None, 0.0, "same"),  # not in every pair
        ([-0.08] * 5, None, 0.0, "same"),
        ([0.12, 0.13, 0.11, 0.12, 0.14], [0.0, 0.01, -0.01, 0.02, 0.0], 0.0, "same"),
        ([0.3] * 5, [0.06] * 5, 0.0, "worse"),  # shows half of the threshold by itself
        ([0.3] * 5, [0.04] * 5, 0.0, "unclear"),
        ([0.01] * 5, [0.01] * 5, 0.07, "unclear"),
        ([0.01] * 5, [0.01] * 5, -0.07, "unclear"),
        ([1.0] * 5, [1.0] * 5, 0.07, "worse"),  # by more than the base differs from itself
        ([0.15] * 5, [0.15] * 5, 0.07, "unclear"),
        ([0.01] * 5, None, 0.04, "same"),
    ],
)
def test_outcomes(
    first: list[float], second: list[float] | None, control: float, outcome: str
) -> None:
    found = {"v2": pairs(first, control)}
    assert unsettled(found, RULE) == (["v2"] if second else [])
    again = {"v2": pairs(second, control)} if second else {}
    assert judge(found, again, RULE)[0].outcome == outcome


def test_the_threshold_is_the_rules() -> None:
    first, strict = {"v2": pairs([0.08] * 5)}, SpeedRule(threshold=0.05)
    assert unsettled(first, strict) == ["v2"]
    assert judge(first, first, strict)[0].outcome == "worse"


def test_a_large_estimate_over_pairs_that_disagree_is_unclear() -> None:
    noisy = {"v2": pairs([0.4, -0.3, 0.2, -0.4, 0.3, 0.12])}
    assert estimate(noisy["v2"]) > math.log1p(0.1)
    finding = judge(noisy, noisy, RULE)[0]
    assert finding.outcome == "unclear"
    assert finding.evidence.startswith("the pairs disagree")


def test_a_base_that_differs_from_itself_is_said() -> None:
    first = {"v2": pairs([0.01] * 5, 0.07)}
    assert judge(first, first, RULE)[0].evidence == (
        "the base differs from itself; 10 pairs, +1.0 % to +1.0 %; base against itself +7.0 %"
    )


def test_models_are_judged_together_so_more_of_them_need_more_evidence() -> None:
    changes = [0.2, 0.21, 0.22, 0.19, 0.23, 0.01, 0.2]  # p = 2 of 128
    alone = judge({"v2": pairs(changes)}, {}, RULE)[0]
    same = {f"same{number}": pairs([0.0] * 7) for number in range(8)}
    beside = judge({"v2": pairs(changes)} | same, {}, RULE)[0]
    assert (alone.outcome, beside.outcome) == ("worse", "unclear")
