"""Charts over training time hold what the records hold."""

import re

import pytest

from results import RunRecord
from results.report.charts.over_time import missed, reached, target_figures, time_figures
from results.report.material import Material
from tests.results.records_by_hand import make_curve, make_record, make_values
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


def test_the_line_is_the_curve_of_the_record() -> None:
    material = make_material([timed("v0", [0.5, 0.8, 0.85])])
    accuracy, _ = time_figures(material)
    points = rows_of(accuracy)
    told = [(p["accuracy_text"], p["time_text"], p["share_text"]) for p in points]
    assert told == [
        ("50.00 %", "2.00 s", "33 %"),
        ("80.00 %", "4.00 s", "67 %"),
        ("85.00 %", "6.00 s", "100 %"),
    ]
    assert [point["seconds"] for point in points] == pytest.approx([2.0, 4.0, 6.0])
    assert [100 - point["error"] for point in points] == pytest.approx([50, 80, 85])
    assert axis_titles(accuracy) == {"training time (s), log scale", "validation accuracy (%)"}


def test_one_seed_has_the_line_and_the_others_are_faint() -> None:
    runs = [timed("v0", [0.8, 0.8 + seed / 100], seed=seed) for seed in range(3)]
    accuracy = time_figures(make_material(runs))[0]
    seeds = {(row["seed_text"], row["main"]) for row in rows_of(accuracy)}
    assert seeds == {("0", True), ("1", False), ("2", False)}
    assert "Faint lines: the other seeds." in accuracy.caption


def test_a_perfect_accuracy_has_a_place_on_the_axis_and_the_clocks_begin_has_none() -> None:
    curve = [[0, 0, 0, 0.1], [1, 1, 9, 1.0]]
    run = make_record("v0", values=make_values(0.8, 1, 1, 1), curve=curve)
    figures = time_figures(make_material([run]))
    assert [(row["seconds"], row["error"]) for row in rows_of(figures[0])] == [(1, 0.01)]
    check_figures(figures)


def test_models_at_chance_are_named_in_the_caption_and_not_drawn(sweep: Material) -> None:
    accuracy, targets = time_figures(sweep)
    assert "v1" not in values_of(accuracy, "seconds")
    assert "Not drawn (at chance, or without a curve): v1." in accuracy.caption
    check_figures([accuracy, targets])


def test_without_curves_or_targets_reached_there_is_no_figure_of_them() -> None:
    bare = make_record("v0", values=make_values(0.8, 1.0, 1, 1))
    assert time_figures(make_material([bare])) == []
    figures = time_figures(make_material([timed("v0", [0.5, 0.6])]))
    assert [figure.key for figure in figures] == ["time-accuracy"]


def test_targets_are_the_seconds_of_the_row() -> None:
    material = make_material([timed("v0", [0.81, 0.86, 0.91])])
    (series,) = material.finished
    assert reached(series) == [(80, 2.0), (85, 4.0), (90, 6.0)]
    assert missed(series) == 92
    (figure,) = target_figures(material)
    (row,) = rows_of(figure)
    assert row["target"] == ["80 %", "85 %", "90 %"]
    assert row["seconds"] == [2.0, 4.0, 6.0]
    assert row["time_text"] == ["2.00 s", "4.00 s", "6.00 s"]
    assert row["text"] == "92 %: ∞"
    svg = svg_of(figure)  # a dot has the colour and shape of its target
    assert all(f"validation accuracy: {target}" in svg for target in row["target"])
    assert {"80 %", "94 %", "92 %: ∞"} <= set(re.findall(r">([^<>]*)</text>", svg))


def test_who_reached_most_and_soonest_stands_on_top() -> None:
    runs = [timed("none", [0.5, 0.6]), timed("late", [0.81, 0.91], 9.0)]
    runs += [timed("low", [0.81, 0.82]), timed("soon", [0.81, 0.91], 3.0)]
    (figure,) = target_figures(make_material(runs))
    assert [row["series"] for row in rows_of(figure)] == ["soon", "late", "low", "none"]
