"""Charts over training time hold what the records hold, and their labels do not overlap."""

import itertools
from pathlib import Path
from typing import NamedTuple

import pytest

from results import RunRecord
from results.report.charts.over_time import _lines, _scales, label_values, time_figures
from results.report.charts.scales import log_scale
from results.report.charts.targets import missed, reached, target_figures, texts_of
from results.report.charts.theme import CHARACTER_WIDTH, LAYOUTS, WIDE, ChartLayout
from results.report.material import gather
from tests.results.records_by_hand import make_curve, make_record, make_sweep, make_values
from tests.results.report.charts_by_hand import (
    TABLES,
    axis_titles,
    check_figures,
    make_material,
    rows_of,
    values_of,
)


def timed(model: str, curve: list[float], seconds: float = 6.0, seed: int = 0) -> RunRecord:
    values = make_values(curve[-1], seconds, 1000, 2**20)
    return make_record(model, seed, values=values, curve=make_curve(seconds, curve))


def test_the_line_is_the_curve_of_the_record(tmp_path: Path) -> None:
    material = make_material([timed("v0", [0.5, 0.8, 0.85])], tmp_path)
    accuracy, _ = time_figures(material)
    points = [row for row in rows_of(accuracy) if "accuracy_text" in row]
    assert [point["seconds"] for point in points] == pytest.approx([2.0, 4.0, 6.0])
    assert [100 - point["error"] for point in points] == pytest.approx([50, 80, 85])
    assert [point["accuracy_text"] for point in points] == ["50.00 %", "80.00 %", "85.00 %"]
    assert [point["time_text"] for point in points] == ["2.00 s", "4.00 s", "6.00 s"]
    assert axis_titles(accuracy) == {"training time (s), log scale", "validation accuracy (%)"}


def test_one_seed_has_the_line_and_the_others_are_faint(tmp_path: Path) -> None:
    runs = [timed("v0", [0.8, 0.8 + seed / 100], seed=seed) for seed in range(3)]
    accuracy = time_figures(make_material(runs, tmp_path))[0]
    seeds = {(row["seed_text"], row["main"]) for row in rows_of(accuracy) if "main" in row}
    assert seeds == {("0", True), ("1", False), ("2", False)}
    assert "Faint lines: the other seeds." in accuracy.caption


def test_a_perfect_accuracy_has_a_place_on_the_axis(tmp_path: Path) -> None:
    check_figures(time_figures(make_material([timed("v0", [0.5, 1.0])], tmp_path)))


def test_a_point_before_the_clock_began_is_left_out(tmp_path: Path) -> None:
    run = make_record(
        "v0", values=make_values(0.8, 1, 1, 1), curve=[[0, 0, 0, 0.1], [1, 1, 9, 0.8]]
    )
    figures = time_figures(make_material([run], tmp_path))
    assert [row["seconds"] for row in rows_of(figures[0]) if "main" in row] == [1]
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
    dots = [row for row in rows_of(figure) if "target" in row]
    assert [(dot["target"], dot["time_text"]) for dot in dots] == [
        ("80 %", "2.00 s"),
        ("85 %", "4.00 s"),
        ("90 %", "6.00 s"),
    ]
    assert values_of(figure, "missed") == {"v0": "92 %: ∞"}


def test_who_reached_most_and_soonest_stands_on_top(tmp_path: Path) -> None:
    runs = [
        timed("none", [0.5, 0.6]),
        timed("late", [0.81, 0.91], 9.0),
        timed("low", [0.81, 0.82]),
        timed("soon", [0.81, 0.91], 3.0),
    ]
    (figure,) = target_figures(make_material(runs, tmp_path))
    assert list(dict.fromkeys(row["series"] for row in rows_of(figure))) == [
        "soon",
        "late",
        "low",
        "none",
    ]


def test_where_nobody_reached_a_target_there_is_no_figure_of_them(tmp_path: Path) -> None:
    figures = time_figures(make_material([timed("v0", [0.5, 0.6])], tmp_path))
    assert [figure.key for figure in figures] == ["time-accuracy"]


def test_targets_too_near_for_a_text_each_share_one() -> None:
    scale = log_scale([1.0, 100.0])
    texts = texts_of([(80, 1.0), (85, 1.0), (90, 1.05), (92, 100.0)], scale, 600)
    assert [text.text for text in texts] == ["80\N{EN DASH}90 %", "92 %"]


class Box(NamedTuple):
    """Where a label lies, in pixels."""

    left: float
    right: float
    middle: float

    def overlaps(self, other: "Box") -> bool:
        """Whether letters would touch."""
        across = min(self.right, other.right) - max(self.left, other.left)
        return across > 0.5 and abs(self.middle - other.middle) < 11  # letters are 11 pixels high


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("table", ["cpu-default-30s", "cpu-default-3epochs"])
def test_no_two_labels_overlap_at_the_ends_of_real_curves(table: str, layout: ChartLayout) -> None:
    lines = _lines(gather([TABLES / f"{table}.jsonl"]))
    scales = _scales(lines, layout)
    boxes = []
    for value in label_values(lines, scales, layout):
        x = scales[0].pixel(value["seconds"], layout.width) + value["dx"]
        y = scales[1].pixel(value["error"], layout.height) + value["dy"]
        width = len(value["label"]) * CHARACTER_WIDTH
        left = x - {"left": 0.0, "center": width / 2, "right": width}[value["align"]]
        boxes.append(Box(left, left + width, y))
        assert left + width <= layout.width + 1
    assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]


@pytest.mark.parametrize("table", ["cpu-default-30s", "cpu-default-3epochs"])
def test_no_two_texts_of_a_lane_touch(table: str) -> None:
    material = gather([TABLES / f"{table}.jsonl"])
    scale = log_scale([seconds for one in material.finished for _, seconds in reached(one)])
    for series in material.finished:
        texts = texts_of(reached(series), scale, WIDE.width)
        ends = [
            (text.middle(scale, 700) - text.half(), text.middle(scale, 700) + text.half())
            for text in texts
        ]
        assert all(left[1] < right[0] for left, right in itertools.pairwise(ends))
