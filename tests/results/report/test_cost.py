"""The Pareto charts: their values are those of the records."""

import re
from pathlib import Path

import pytest

from results.report.charts.cost import cost_figures
from results.report.charts.vega import ReportFigure
from results.report.material import Material, gather
from results.rows.comparable import pareto_front
from tests.results.records_by_hand import make_record, make_sweep, make_values
from tests.results.report.charts_by_hand import (
    TABLES,
    axis_titles,
    check_figures,
    make_material,
    svg_of,
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
    costs = ("training time (s)", "energy (J)", "parameters", "peak memory (MiB)")
    units = {f"{cost}, log scale" for cost in costs}
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
    seconds = svg_of(figure_of(sweep, "cost-train-s"))
    assert re.search(r">10<", seconds)
    assert not re.search(r">\d+m<", seconds)  # no thousandths of a second
    assert re.search(r">\d+k<", svg_of(figure_of(sweep, "cost-num-params")))


def test_training_time_is_no_cost_where_the_budget_holds_it_equal(tmp_path: Path) -> None:
    keys = {figure.key for figure in cost_figures(gather([TABLES / "cpu-default-30s.jsonl"]))}
    assert "cost-train-s" not in keys
    assert "cost-num-params" in keys


def test_one_row_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    record = make_record("v0", values=make_values(0.9, 1.0, 10, 2**20))
    assert cost_figures(make_material([record], tmp_path)) == []


def test_costs_that_hardly_differ_have_an_axis_with_labels(tmp_path: Path) -> None:
    runs = [
        make_record(name, values=make_values(0.9, 1.0, 10, memory * 2**20))
        for name, memory in (("a", 131), ("b", 132))
    ]
    figure = figure_of(make_material(runs, tmp_path), "cost-peak-bytes")
    labels = re.findall(r">(13[\d.]+)</text>", svg_of(figure, "narrow"))
    assert len(labels) >= 2
