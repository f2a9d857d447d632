"""Which points of the validation curve a training can afford."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.train.curve import (
    POINTS,
    TARGET_POINTS,
    affordable_points,
    in_whole_groups,
)

seconds = st.floats(1e-6, 1e6)


@given(seconds, seconds)
def test_the_curve_costs_at_most_a_fifth_and_is_the_densest_that_does(
    evaluation_s: float, training_s: float
) -> None:
    points = affordable_points(evaluation_s, training_s)
    assert len(points) * evaluation_s <= 0.2 * training_s
    denser = [other for other in POINTS if len(other) > len(points)]
    assert all(len(other) * evaluation_s > 0.2 * training_s for other in denser)


@given(seconds, seconds)
def test_a_target_is_looked_for_as_often_as_a_fifth_pays_for_but_ten_times(
    evaluation_s: float, training_s: float
) -> None:
    points = affordable_points(evaluation_s, training_s, TARGET_POINTS)
    assert len(points) in {100, 50, 20, 10}
    assert len(points) == 10 or len(points) * evaluation_s <= 0.2 * training_s
    denser = [other for other in TARGET_POINTS if len(other) > len(points)]
    assert all(len(other) * evaluation_s > 0.2 * training_s for other in denser)
    assert list(points) == [k / len(points) for k in range(1, len(points) + 1)]
    assert affordable_points(evaluation_s, None, TARGET_POINTS) == TARGET_POINTS[0]


@given(seconds)
def test_where_time_does_not_matter_the_curve_is_dense(evaluation_s: float) -> None:
    assert affordable_points(evaluation_s, None) == POINTS[0]


def test_sparser_curves_share_their_points_with_denser_ones() -> None:
    assert all(set(sparse) < set(dense) for dense, sparse in pairwise(POINTS))
    assert POINTS[-1] == ()


def test_points_rise_to_the_end() -> None:
    for points in POINTS[:-1]:
        assert list(points) == sorted(set(points))
        assert 0 < points[0] <= points[-1] == 1.0


@pytest.mark.parametrize(("steps", "group"), [(1266, 8), (1266, 1), (100, 16), (5, 16), (7, 2)])
def test_looks_of_a_counted_budget_fall_between_groups_of_steps(steps: int, group: int) -> None:
    points = in_whole_groups(TARGET_POINTS[0], steps, group)
    ends = [round(point * steps) for point in points]
    assert [end / steps for end in ends] == list(points)  # whole steps, so that none is cut
    assert ends[-1] == steps
    assert all(end % group == 0 for end in ends[:-1])
    assert len(points) == min(100, -(-steps // group))
