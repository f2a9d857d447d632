"""Charts of speed hold the values of the rows, the best on top."""

from pathlib import Path

import pytest

from results.report.charts.cost import speed_figures
from results.report.charts.lanes import needs_log
from results.report.charts.vega import ReportFigure
from results.report.material import Material
from tests.results.records_by_hand import make_record, make_sweep, make_values
from tests.results.report.charts_by_hand import (
    axis_titles,
    check_figures,
    make_material,
    rows_of,
    svg_of,
    values_of,
)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_material(make_sweep(), tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="module")
def figures(sweep: Material) -> list[ReportFigure]:
    return speed_figures(sweep)


def test_every_value_is_that_of_the_row(sweep: Material, figures: list[ReportFigure]) -> None:
    rows = {series.label: series.row for series in sweep.finished}
    units = {"images_per_s": 1, "peak_memory_bytes": 2**20, "epoch_time_s": 1, "energy_j": 1}
    for figure, (key, unit) in zip(figures, units.items(), strict=True):
        expected = {name: row[key] / unit for name, row in rows.items()}
        assert values_of(figure, "value") == pytest.approx(expected)
    check_figures(figures)


def test_texts_have_units_and_the_best_stands_on_top(figures: list[ReportFigure]) -> None:
    images, memory, epoch, energy = figures
    assert list(values_of(images, "text").items())[:2] == [
        ("v0", "732 k images/s"),
        ("v1", "678 k images/s"),
    ]
    assert values_of(images, "note")["v1"] == "at chance"
    assert values_of(memory, "text")["v0"] == "21.0 MiB"
    assert values_of(epoch, "text")["resnet50"] == "20.1 s"
    assert values_of(energy, "text")["resnet50"] == "24.7 kJ"
    assert list(values_of(memory, "value").values()) == sorted(values_of(memory, "value").values())


@pytest.mark.slow
def test_an_interval_needs_seeds_and_stays_above_zero(tmp_path: Path) -> None:
    runs = [
        make_record("wild", seed, values=make_values(0.9, 162e3 / rate, 1, 1, throughput=rate))
        for seed, rate in enumerate((1000.0, 9000.0))
    ]
    runs.append(make_record("single", values=make_values(0.9, 32.4, 1, 1, throughput=5e3)))
    material = make_material(runs, tmp_path)
    images = speed_figures(material)[0]
    by_name = {row["series"]: row for row in rows_of(images)}
    low, high = material.finished[0].summary.interval("throughput") or (0, 0)
    assert low < 0 == by_name["wild"]["low"]
    assert by_name["wild"]["high"] == high
    assert by_name["single"]["low"] is None
    check_figures([images])


@pytest.mark.slow
def test_the_axis_is_logarithmic_where_bars_would_have_no_length_to_see(
    tmp_path: Path, figures: list[ReportFigure]
) -> None:
    assert axis_titles(figures[0]) == {"training images a second, log scale"}
    near = [make_record(name, values=make_values(0.9, 1.0, 1, 5)) for name in "ab"]
    images, *_ = speed_figures(make_material(near, tmp_path))
    assert axis_titles(images) == {"training images a second"}


def test_bars_are_drawn_up_to_a_factor() -> None:
    assert not needs_log([1.0, 20.0])
    assert needs_log([1.0, 20.1])
    assert not needs_log([0.0, 5.0])


@pytest.mark.slow
def test_unknown_quantities_are_named_and_those_nobody_knows_have_no_figure(tmp_path: Path) -> None:
    values = make_values(0.9, 1.0, 1, 2**20)
    without = {key: value for key, value in values.items() if key not in {"energy", "peak_memory"}}
    runs = [make_record(name, values=without if name == "c" else values) for name in "abc"]
    runs = [*runs, make_record("d", status="crashed")]
    figures = {figure.key: figure for figure in speed_figures(make_material(runs, tmp_path))}
    assert "Not drawn (unknown): c." in figures["speed-peak"].caption
    lonely = speed_figures(make_material([make_record("a", values=values)], tmp_path))
    assert lonely == []
    nobody = [make_record(name, values=without) for name in "ab"]
    keys = [figure.key for figure in speed_figures(make_material(nobody, tmp_path))]
    assert keys == ["speed-images", "speed-epoch"]


@pytest.mark.slow
def test_odd_names_are_cut_and_keep_the_page_whole(tmp_path: Path) -> None:
    names = ["a'b\"c<d>&e", "x" * 60, "new\nline", *(f"model_{k}" for k in range(12))]
    runs = [
        make_record(name, values=make_values(0.9, 1.0 + k, 1, 2**20))
        for k, name in enumerate(names)
    ]
    figures = speed_figures(make_material(runs, tmp_path))
    for layout in ("wide", "narrow"):
        svg = svg_of(figures[0], layout)
        assert "x" * 10 in svg
        assert "x" * 30 not in svg.partition("</desc>")[2].replace("x" * 60 + ";", "")
        assert ">a'b\"c&lt;d&gt;&amp;e<" in svg
        assert ">new line<" in svg
    check_figures(figures)
