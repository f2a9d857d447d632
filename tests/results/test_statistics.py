"""Intervals, held against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.statistics import (
    mean,
    median_interval,
    prediction_interval,
    stdev,
    t_interval,
    welch_interval,
    wilson_interval,
)


def test_the_t_interval_agrees_with_scipy_on_1000_random_cases() -> None:
    from scipy import stats  # 0.8 s, and only this test needs it

    rng = np.random.default_rng(0)
    cases = [
        rng.normal(rng.normal(), 10 ** rng.uniform(-4, 4), rng.integers(2, 40)) for _ in range(1000)
    ]
    ours = [t_interval(values.tolist()) for values in cases]
    theirs = [stats.t.interval(0.95, len(v) - 1, v.mean(), stats.sem(v)) for v in cases]
    np.testing.assert_allclose(np.array(ours), np.array(theirs), rtol=1e-9, atol=1e-9)


def test_welchs_interval_agrees_with_scipy_on_1000_random_cases() -> None:
    from scipy import stats

    rng = np.random.default_rng(0)
    for _ in range(1000):
        scale, sizes = 10 ** rng.uniform(-4, 4, 3), rng.integers(2, 20, 2)
        ours, theirs = (
            rng.normal(scale[2] * rng.normal(), scale[side], sizes[side]) for side in (0, 1)
        )
        found = welch_interval(ours.tolist(), theirs.tolist())
        wanted = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
        assert found == pytest.approx((wanted.low, wanted.high), rel=1e-7, abs=1e-9)


def test_welchs_interval_needs_two_values_on_either_side_and_no_spread() -> None:
    assert welch_interval([0.9], [0.8, 0.7]) is None
    assert welch_interval([0.9, 0.8], [0.8]) is None
    assert welch_interval([0.9, 0.9], [0.8, 0.8]) == pytest.approx((0.1, 0.1))
    low, high = welch_interval([1e-200, 2e-200], [0.0, 0.0]) or (0.0, 0.0)
    assert low <= high  # variances that small come to zero


def test_one_value_has_neither_spread_nor_interval_and_equal_ones_one_of_no_width() -> None:
    assert (mean([0.9]), stdev([0.9]), t_interval([0.9])) == (0.9, None, None)
    assert t_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)


def test_the_prediction_interval_of_three_by_hand() -> None:
    low, high = prediction_interval([0.80, 0.82, 0.84]) or (0.0, 0.0)
    half = 4.302653 * 0.02 * (4 / 3) ** 0.5  # Student's quantile for two degrees of freedom
    assert (low, high) == pytest.approx((0.82 - half, 0.82 + half), abs=1e-7)
    assert prediction_interval([0.8]) is None


@pytest.mark.parametrize("count", [*range(1, 13), 20, 59, 400])
def test_the_median_interval_is_the_narrowest_that_covers_95_percent(count: int) -> None:
    from scipy.stats import binom

    interval = median_interval([float(value) for value in range(count, 0, -1)])
    ranks = range(1, count // 2 + 1)
    # between the k-th smallest and the k-th largest: neither side holds fewer than k values
    covering = [
        k for k in ranks if binom.cdf(count - k, count, 0.5) - binom.cdf(k - 1, count, 0.5) >= 0.95
    ]
    expected = (max(covering), count + 1 - max(covering)) if covering else None
    assert interval == expected
    assert (interval is None) == (count < 6)


@given(correct=st.integers(0, 500), num_images=st.integers(1, 500))
def test_the_wilson_interval_holds_its_accuracy_and_agrees_with_scipy(
    correct: int, num_images: int
) -> None:
    from scipy.stats import binomtest

    correct = min(correct, num_images)
    low, high = wilson_interval(correct / num_images, num_images)
    theirs = binomtest(correct, num_images).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert low - 1e-12 <= correct / num_images <= high + 1e-12
