"""Axes and columns of labels."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.report.charts.placement import HEIGHT, spread
from results.report.charts.scales import Scale, log_scale, num_ticks, with_room
from results.text import short_names

HEIGHTS = st.lists(st.floats(0, 400), min_size=1, max_size=20)


@given(HEIGHTS)
def test_labels_of_a_column_keep_their_order_their_distance_and_the_column(
    wanted: list[float],
) -> None:
    places = spread(wanted, 0.0, 400.0)
    gap = min(HEIGHT, 400.0 / max(1, len(wanted) - 1))
    ordered = [places[index] for index in sorted(range(len(wanted)), key=wanted.__getitem__)]
    assert all(b - a >= gap - 1e-6 for a, b in itertools.pairwise(ordered))
    assert all(-1e-6 <= place <= 400 + 1e-6 for place in places)


def test_labels_that_do_not_touch_stay_where_they_are() -> None:
    assert spread([300.0, 20.0, 100.0], 0.0, 400.0) == pytest.approx([300.0, 20.0, 100.0])


def test_labels_that_touch_move_apart_around_their_middle() -> None:
    assert spread([100.0, 100.0], 0.0, 400.0, 14.0) == pytest.approx([93.0, 107.0])


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=8), st.floats(0, 500), st.booleans())
def test_a_text_right_of_any_value_ends_inside_the_axis(
    values: list[float], pixels: float, is_log: bool
) -> None:
    ruled = log_scale(values) if is_log else Scale(0.0, max(values))
    scale = with_room(ruled, [(value, pixels) for value in values], 700)
    assert scale.low == ruled.low
    assert scale.high >= ruled.high
    for value in values:
        assert scale.pixel(value, 700) + min(pixels, 525) <= 700 + 1e-3


def test_the_ticks_of_a_short_logarithmic_axis_are_round_values_between() -> None:
    assert log_scale([10.0]).ticks() == pytest.approx([8, 10, 12, 14])


def test_the_part_of_an_axis_without_values_gets_no_ticks() -> None:
    ruled = Scale(0.0, 10.0)
    assert num_ticks(Scale(0.0, 10.0), ruled, 700) == 8
    assert num_ticks(Scale(0.0, 40.0), ruled, 700) == 4


def test_names_alike_when_cut_keep_what_tells_them_apart() -> None:
    names = ["v2", "fashion_cnn (3epochs)", "fashion_cnn (30s)", "resnet50 (r1)", "resnet50 (r1_b)"]
    assert list(short_names(names, 13).values()) == [
        "v2",
        "fashio…3epoc…",
        "fashio…30s)",
        "resnet50 (r1)",
        "resnet50 (r1…",
    ]
    assert all(len(name) <= 9 for name in short_names(["n" * 30, "n" * 31], 9).values())
