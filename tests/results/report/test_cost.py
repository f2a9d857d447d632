"""The Pareto charts: their values are those of the records, their labels lie on nothing."""

import json
import re
from itertools import combinations
from math import log
from pathlib import Path

import pytest
import vl_convert

from results.report.charts.cost import cost_figures
from results.report.charts.figure import ReportFigure
from results.report.charts.theme import CHARACTER_WIDTH, FONT_SIZE, LAYOUTS, in_light
from results.report.material import Material, gather
from results.rows.comparable import pareto_front
from tests.results.records_by_hand import make_record, make_sweep, make_values
from tests.results.report.charts_by_hand import (
    TABLES,
    axis_titles,
    check_figures,
    make_material,
    values_of,
)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_material(make_sweep(), tmp_path_factory.mktemp("sweep"))


def figure_of(material: Material, key: str) -> ReportFigure:
    return next(figure for figure in cost_figures(material) if figure.key == key)


def test_each_cost_that_is_known_has_a_chart_with_its_unit(sweep: Material) -> None:
    figures = cost_figures(sweep)
    check_figures(figures)
    units = {"training time (s)", "energy (J)", "parameters", "peak memory (MiB)"}
    titles = set().union(*(axis_titles(figure) for figure in figures))
    assert titles >= units | {"test accuracy (%)"}


def test_points_and_front_are_those_of_the_rows(sweep: Material) -> None:
    figure = figure_of(sweep, "cost-train-s")
    learnt = [one for one in sweep.finished if one.has_learnt]
    marks = pareto_front([one.row for one in learnt])
    assert values_of(figure, "cost") == {s.label: s.row["train_time_s"] for s in learnt}
    assert values_of(figure, "accuracy") == {s.label: s.row["test_accuracy"] * 100 for s in learnt}
    fronts = dict(zip((s.label for s in learnt), map(bool, marks), strict=True))
    assert values_of(figure, "front") == fronts
    assert "v1" in figure.caption  # at chance: not drawn, and said so


def test_seconds_are_written_as_seconds_and_counts_in_thousands(sweep: Material) -> None:
    def svg(key: str) -> str:
        specification = figure_of(sweep, key).specifications["wide"]
        return vl_convert.vegalite_to_svg(in_light(json.dumps(specification)))

    assert re.search(r">0\.\d+<", svg("cost-train-s"))
    assert not re.search(r">\d+m<", svg("cost-train-s"))  # no thousandths of a second
    assert re.search(r">\d+k<", svg("cost-num-params"))


def test_training_time_is_no_cost_where_the_budget_holds_it_equal(tmp_path: Path) -> None:
    keys = {figure.key for figure in cost_figures(gather([TABLES / "cpu-default-30s.jsonl"]))}
    assert "cost-train-s" not in keys
    assert "cost-num-params" in keys


def test_one_row_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    record = make_record("v0", values=make_values(0.9, 1.0, 10, 2**20))
    assert cost_figures(make_material([record], tmp_path)) == []


@pytest.mark.parametrize("table", ["cpu-default-30s", "cpu-default-3epochs"])
def test_no_label_lies_on_another(table: str) -> None:
    for figure in cost_figures(gather([TABLES / f"{table}.jsonl"])):
        for layout in LAYOUTS:
            texts, xs = (values_of(figure, key, layout.name) for key in ("text", "cost"))
            down, right = (values_of(figure, key, layout.name) for key in ("dy", "dx"))
            accuracies = values_of(figure, "accuracy", layout.name)
            x_scale, y_scale = (
                figure.specifications[layout.name]["layer"][-1]["encoding"][axis]["scale"]["domain"]
                for axis in ("x", "y")
            )
            boxes = [
                (
                    _log_share(xs[name], x_scale) * layout.width + right[name],
                    (1 - _share(accuracies[name], y_scale)) * layout.height + down[name],
                    len(texts[name]) * CHARACTER_WIDTH / 2,
                )
                for name in texts
            ]
            assert not [pair for pair in combinations(boxes, 2) if _touch(*pair)], figure.key


def _share(value: float, domain: list[float]) -> float:
    return (value - domain[0]) / (domain[1] - domain[0])


def _log_share(value: float, domain: list[float]) -> float:
    return (log(value) - log(domain[0])) / (log(domain[1]) - log(domain[0]))


def _touch(ours: tuple[float, float, float], theirs: tuple[float, float, float]) -> bool:
    (x, y, half), (other_x, other_y, other_half) = ours, theirs
    return abs(x - other_x) < half + other_half and abs(y - other_y) < FONT_SIZE
