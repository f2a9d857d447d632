"""Charts over training time hold what the records hold."""

import re
from pathlib import Path

import pytest

from results import RunRecord
from results.report.charts.over_time import missed, reached, target_figures, time_figures
from tests.results.records_by_hand import make_curve, make_record, make_sweep, make_values
from tests.results.report.charts_by_hand import (
    axis_titles,
    check_figures,
    make_material,
    rows_of,
    svg_of,
    values_of,
)


def timed(model: str, curve: list[float], seconds: float = 6.0, seed: int = 0) -> RunRecord:
    values = make_values(curve[-1], seconds, 1000, 2**20)
    return make_record(model, seed, values=values, curve=make_curve(seconds, curve))


def test_the_line_is_the_curve_of_the_record(tmp_path: Path) -> None:
    material = make_material([timed("v0", [0.5, 0.8, 0.85])], tmp_path)
    accuracy, _ = time_figures(material)
    points = rows_of(accuracy)
    assert [point["seconds"] for point in points] == pytest.approx([2.0, 4.0, 6.0])
    assert [100 - point["error"] for point in points] == pytest.approx([50, 80, 85])
    assert [point["accuracy_text"] for point in points] == ["50.00 %", "80.00 %", "85.00 %"]
    assert [point["time_text"] for point in points] == ["2.00 s", "4.00 s", "6.00 s"]
    assert axis_titles(accuracy) == {"training time (s), log scale", "validation accuracy (%)"}


def test_one_seed_has_the_line_and_the_others_are_faint(tmp_path: Path) -> None:
    runs = [timed("v0", [0.8, 0.8 + seed / 100], seed=seed) for seed in range(3)]
    accuracy = time_figures(make_material(runs, tmp_path))[0]
    seeds = {(row["seed_text"], row["main"]) for row in rows_of(accuracy)}
    assert seeds == {("0", True), ("1", False), ("2", False)}
    assert "Faint lines: the other seeds." in accuracy.caption


def test_a_perfect_accuracy_has_a_place_on_the_axis(tmp_path: Path) -> None:
    check_figures(time_figures(make_material([timed("v0", [0.5, 1.0])], tmp_path)))


def test_a_point_before_the_clock_began_is_left_out(tmp_path: Path) -> None:
    run = make_record(
        "v0", values=make_values(0.8, 1, 1, 1), curve=[[0, 0, 0, 0.1], [1, 1, 9, 0.8]]
    )
    figures = time_figures(make_material([run], tmp_path))
    assert [row["seconds"] for row in rows_of(figures[0])] == [1]
    check_figures(figures)


def test_without_curves_there_is_no_figure(tmp_path: Path) -> None:
    run = make_record("v0", values=make_values(0.8, 1.0, 1, 1))
    assert time_figures(make_material([run], tmp_path)) == []


def test_models_at_chance_are_named_in_the_caption_and_not_drawn(tmp_path: Path) -> None:
    accuracy, targets = time_figures(make_material(make_sweep(), tmp_path))
    assert "v1" not in values_of(accuracy, "seconds")
    assert "Not drawn (at chance, or without a curve): v1." in accuracy.caption
    check_figures([accuracy, targets])


def test_targets_are_the_seconds_of_the_row(tmp_path: Path) -> None:
    material = make_material([timed("v0", [0.81, 0.86, 0.91])], tmp_path)
    (series,) = material.finished
    assert reached(series) == [(80, 2.0), (85, 4.0), (90, 6.0)]
    assert missed(series) == 92
    (figure,) = target_figures(material)
    (row,) = rows_of(figure)
    assert row["target"] == ["80 %", "85 %", "90 %"]
    assert row["seconds"] == [2.0, 4.0, 6.0]
    assert row["time_text"] == ["2.00 s", "4.00 s", "6.00 s"]
    assert row["text"] == "92 %: ∞"


def test_who_reached_most_and_soonest_stands_on_top(tmp_path: Path) -> None:
    runs = [
        timed("none", [0.5, 0.6]),
        timed("late", [0.81, 0.91], 9.0),
        timed("low", [0.81, 0.82]),
        timed("soon", [0.81, 0.91], 3.0),
    ]
    (figure,) = target_figures(make_material(runs, tmp_path))
    assert [row["series"] for row in rows_of(figure)] == ["soon", "late", "low", "none"]


def test_where_nobody_reached_a_target_there_is_no_figure_of_them(tmp_path: Path) -> None:
    figures = time_figures(make_material([timed("v0", [0.5, 0.6])], tmp_path))
    assert [figure.key for figure in figures] == ["time-accuracy"]


def test_a_dot_has_the_colour_and_shape_of_its_target(tmp_path: Path) -> None:
    (figure,) = target_figures(make_material([timed("v0", [0.81, 0.86, 0.91])], tmp_path))
    svg = svg_of(figure)
    for target in ("80 %", "85 %", "90 %"):
        assert f"validation accuracy: {target}" in svg
    assert {"80 %", "94 %", "92 %: ∞"} <= set(re.findall(r">([^<>]*)</text>", svg))
