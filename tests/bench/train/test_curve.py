"""Which points of the validation curve a training can afford, and which a record keeps."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.train.curve import (
    MAX_CURVE_POINTS,
    POINTS,
    TARGET_POINTS,
    affordable_points,
    chosen_points,
    in_whole_groups,
)
from results.rows.rows import TARGETS

seconds = st.floats(1e-6, 1e6)
accuracies = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=200)


@given(seconds, seconds, st.sampled_from([POINTS, TARGET_POINTS]))
def test_looks_cost_at_most_a_fifth_and_are_the_densest_that_do(
    evaluation_s: float, training_s: float, choices: Sequence[Sequence[float]]
) -> None:
    points = affordable_points(evaluation_s, training_s, choices)
    fitting = [other for other in choices if len(other) * evaluation_s <= 0.2 * training_s]
    assert points == (fitting or choices[-1:])[0]
    assert affordable_points(evaluation_s, None, choices) == choices[0]


def test_points_rise_to_the_end_and_sparser_curves_share_theirs_with_denser_ones() -> None:
    assert all(set(sparse) < set(dense) for dense, sparse in pairwise(POINTS))
    assert POINTS[-1] == ()
    for points in POINTS[:-1]:
        assert list(points) == sorted(set(points))
        assert 0 < points[0] <= points[-1] == 1.0
    assert [len(points) for points in TARGET_POINTS] == [100, 50, 20, 10]
    for points in TARGET_POINTS:
        assert list(points) == [k / len(points) for k in range(1, len(points) + 1)]


@pytest.mark.parametrize(("steps", "group"), [(1266, 8), (1266, 1), (100, 16), (5, 16), (7, 2)])
def test_looks_of_a_counted_budget_fall_between_groups_of_steps(steps: int, group: int) -> None:
    points = in_whole_groups(TARGET_POINTS[0], steps, group)
    ends = [round(point * steps) for point in points]
    assert [end / steps for end in ends] == list(points)  # whole steps, so that none is cut
    assert ends[-1] == steps
    assert all(end % group == 0 for end in ends[:-1])
    assert len(points) == min(100, -(-steps // group))


@given(accuracies, st.none() | st.floats(0.01, 0.99))
def test_a_record_keeps_the_points_that_tables_ask_for(
    found: list[float], own: float | None
) -> None:
    chosen = chosen_points(found, own)
    assert len(chosen) <= MAX_CURVE_POINTS
    assert chosen == sorted(set(chosen))
    assert {len(found) - 1, found.index(max(found))} <= set(chosen)
    for target in [*map(float, TARGETS), *([] if own is None else [own])]:
        first = next((k for k, accuracy in enumerate(found) if accuracy >= target), None)
        assert first is None or first in chosen
