"""The charts of what training costs: their values are those of the rows."""

import re
from typing import Any

import pytest

from results import RunRecord
from results.report.charts.cost import cost_figures, speed_figures
from results.report.charts.lanes import needs_log
from results.report.charts.vega import ReportFigure
from results.report.material import Material, gather
from results.rows.comparable import pareto_front
from tests.results.records_by_hand import make_record, make_values
from tests.results.report.charts_by_hand import (
    TABLES,
    axis_titles,
    check_figures,
    make_material,
    row_of,
    svg_of,
    values_of,
)


def by_key(figures: list[ReportFigure]) -> dict[str, ReportFigure]:
    return {figure.key: figure for figure in figures}


def run_of(name: str, seconds: float = 1.0, memory: int = 5, **values: Any) -> RunRecord:  # noqa: ANN401
    return make_record(name, values=make_values(0.9, seconds, 1, memory, **values))


def test_each_cost_that_is_known_has_a_chart_with_its_unit(sweep: Material) -> None:
    figures = cost_figures(sweep)
    check_figures(figures)
    costs = ("training time (s)", "energy (J)", "parameters", "peak memory (MiB)")
    units = {f"{cost}, log scale" for cost in costs}
    titles = set().union(*(axis_titles(figure) for figure in figures))
    assert titles >= units | {"test accuracy (%)"}


def test_points_and_front_are_those_of_the_rows(sweep: Material) -> None:
    figure = by_key(cost_figures(sweep))["cost-train-s"]
    learnt = [one for one in sweep.finished if one.has_learnt]
    marks = pareto_front([one.row for one in learnt])
    assert values_of(figure, "cost") == {s.label: s.row["train_time_s"] for s in learnt}
    assert values_of(figure, "accuracy") == {s.label: s.row["test_accuracy"] * 100 for s in learnt}
    fronts = dict(zip((s.label for s in learnt), map(bool, marks), strict=True))
    assert values_of(figure, "front") == fronts
    assert "v1" in figure.caption  # at chance: not drawn, and said so


def test_seconds_are_written_as_seconds_and_counts_in_thousands(sweep: Material) -> None:
    figures = by_key(cost_figures(sweep))
    seconds = svg_of(figures["cost-train-s"])
    assert re.search(r">10<", seconds)
    assert not re.search(r">\d+m<", seconds)  # no thousandths of a second
    assert re.search(r">\d+k<", svg_of(figures["cost-num-params"]))


def test_training_time_is_no_cost_where_the_budget_holds_it_equal() -> None:
    figures = by_key(cost_figures(gather([TABLES / "cpu-default-30s.jsonl"])))
    assert "cost-train-s" not in figures
    assert "cost-num-params" in figures


def test_one_row_has_nothing_to_be_compared_with() -> None:
    alone = make_material([run_of("v0")])
    assert cost_figures(alone) == speed_figures(alone) == []


def test_costs_that_hardly_differ_have_an_axis_with_labels() -> None:
    runs = [run_of(name, memory=memory * 2**20) for name, memory in (("a", 131), ("b", 132))]
    figure = by_key(cost_figures(make_material(runs)))["cost-peak-bytes"]
    labels = re.findall(r">(13[\d.]+)</text>", svg_of(figure, "narrow"))
    assert len(labels) >= 2


def test_every_bar_is_the_value_of_the_row(sweep: Material) -> None:
    figures = speed_figures(sweep)
    units = {"images_per_s": 1, "peak_memory_bytes": 2**20, "epoch_time_s": 1, "energy_j": 1}
    for figure, (key, unit) in zip(figures, units.items(), strict=True):
        expected = {series.label: series.row[key] / unit for series in sweep.finished}
        assert values_of(figure, "value") == pytest.approx(expected)
    check_figures(figures)


def test_texts_have_units_and_the_best_stands_on_top(sweep: Material) -> None:
    images, memory, epoch, energy = speed_figures(sweep)
    fastest = [("v0", "732 k images/s"), ("v1", "678 k images/s")]
    assert list(values_of(images, "text").items())[:2] == fastest
    assert values_of(images, "note")["v1"] == "at chance"
    assert axis_titles(images) == {"training images a second, log scale"}
    assert values_of(memory, "text")["v0"] == "21.0 MiB"
    assert values_of(epoch, "text")["resnet50"] == "20.1 s"
    assert values_of(energy, "text")["resnet50"] == "24.7 kJ"
    sizes = list(values_of(memory, "value").values())
    assert sizes == sorted(sizes)


@pytest.mark.slow
def test_an_interval_needs_seeds_and_stays_above_zero() -> None:
    runs = [
        make_record("wild", seed, values=make_values(0.9, 162e3 / rate, 1, 1, throughput=rate))
        for seed, rate in enumerate((1000.0, 9000.0))
    ]
    material = make_material([*runs, run_of("single", 32.4, throughput=5e3)])
    images = speed_figures(material)[0]
    low, high = material.finished[0].summary.interval("throughput") or (0, 0)
    wild = row_of(images, "wild")
    assert low < 0 == wild["low"]
    assert wild["high"] == high
    assert row_of(images, "single")["low"] is None
    check_figures([images])


def test_bars_are_drawn_up_to_a_factor() -> None:
    assert not needs_log([1.0, 20.0])
    assert needs_log([1.0, 20.1])
    assert not needs_log([0.0, 5.0])
    images, *_ = speed_figures(make_material([run_of("a"), run_of("b")]))
    assert axis_titles(images) == {"training images a second"}


@pytest.mark.slow
def test_unknown_quantities_are_named_and_those_nobody_knows_have_no_figure() -> None:
    measured = make_values(0.9, 1.0, 1, 2**20)
    without = {key: measured[key] for key in measured.keys() - {"energy", "peak_memory"}}
    runs = [make_record(name, values=without if name == "c" else measured) for name in "abc"]
    figures = by_key(speed_figures(make_material([*runs, make_record("d", status="crashed")])))
    assert "Not drawn (unknown): c." in figures["speed-peak"].caption
    nobody = make_material([make_record(name, values=without) for name in "ab"])
    assert list(by_key(speed_figures(nobody))) == ["speed-images", "speed-epoch"]


@pytest.mark.slow
def test_odd_names_are_cut_and_keep_the_page_whole() -> None:
    names = ["a'b\"c<d>&e", "x" * 60, "new\nline", *(f"model_{k}" for k in range(12))]
    figures = speed_figures(make_material([run_of(name, 1.0 + k) for k, name in enumerate(names)]))
    for layout in ("wide", "narrow"):
        svg = svg_of(figures[0], layout)
        assert "x" * 10 in svg
        assert "x" * 30 not in svg.partition("</desc>")[2].replace("x" * 60 + ";", "")
        assert ">a'b\"c&lt;d&gt;&amp;e<" in svg
        assert r">new\nline<" in svg
    check_figures(figures)


@pytest.mark.slow  # draws four pictures
def test_long_names_of_one_file_differ_in_every_chart() -> None:
    """Vega leaves out the ends, which alone tell the nets of one file apart."""
    names = [f"a_file_with_many_long_networks.py:Residual{k}Network" for k in range(3)]
    material = make_material([run_of(name, 1.0 + k) for k, name in enumerate(names)])
    for figure in (speed_figures(material)[0], cost_figures(material)[0]):
        for layout in ("wide", "narrow"):
            texts = re.findall("<text[^>]*>([^<]*)<", svg_of(figure, layout))
            assert len({text for text in texts if text.startswith("a_file_")}) == 3
