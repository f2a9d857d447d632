"""Charts of ladders hold the ratios of the ladder's table."""

from dataclasses import replace

import pytest

from results import RunRecord
from results.ladder.rows import ladder_rows
from results.report.charts.ladder_chart import ladder_figures
from results.report.charts.vega import ReportFigure
from results.report.material import Material, gather
from tests.bench.ladder.ladder_by_hand import make_ladder, make_rung
from tests.results.report.charts_by_hand import (
    TABLES,
    axis_titles,
    check_figures,
    make_material,
    row_of,
    rows_of,
    svg_of,
    values_of,
)


def figure_of(*rungs: RunRecord) -> ReportFigure:
    (figure,) = ladder_figures(make_material(rungs))
    return figure


def test_ratios_and_intervals_are_those_of_the_rows_the_first_rung_at_the_bottom() -> None:
    ladder = make_ladder()
    figure = figure_of(*ladder)
    for row, drawn in zip(ladder_rows(ladder), reversed(rows_of(figure)), strict=True):
        assert (drawn["series"], drawn["value"]) == (row["rung"], row["ratio"])
        assert (drawn["low"], drawn["high"]) == tuple(row["ratio_ci95"] or (None, None))
    assert figure.title == "v2"
    assert [row["series"] for row in rows_of(figure) if row["best"]] == ["step"]
    assert axis_titles(figure) == {"times as fast as the lowest rung"}


def test_the_compile_seconds_stand_after_the_ratio_and_on_a_phone_after_the_name() -> None:
    figure = figure_of(*make_ladder())
    assert row_of(figure, "resident")["note"] == ""  # its 0.2 s compiled nothing
    assert "4.00\N{MULTIPLICATION SIGN}, 54.0 s to compile</text>" in svg_of(figure)
    on_a_phone = svg_of(figure, "narrow")
    assert "4.00\N{MULTIPLICATION SIGN}</text>" in on_a_phone
    assert "step, 54.0 s to compile</text>" in on_a_phone


def test_a_failed_rung_keeps_its_place_and_says_why() -> None:
    failed = make_rung("step", status="out_of_memory", reason="no\nmore " * 30, num_turns=0)
    figure = figure_of(*make_ladder()[:4], failed)
    text = values_of(figure, "text")["step"]
    assert text.startswith("out_of_memory: no more no")
    assert len(text) == 44
    assert "step" not in values_of(figure, "value")
    assert f"{text}</text>" in svg_of(figure)
    check_figures([figure])


def test_a_rung_without_a_plan_is_drawn() -> None:
    rungs = [replace(rung, spec=rung.spec | {"plan": None}) for rung in make_ladder()]
    assert {row["plan"] for row in rows_of(figure_of(*rungs))} == {"unknown"}


def test_each_ladder_of_a_model_has_a_title_of_its_own() -> None:
    rungs = [*make_ladder(ladder="a" * 16), *make_ladder(ladder="b" * 16), *make_ladder("v0")]
    titles = {figure.key: figure.title for figure in ladder_figures(make_material(rungs))}
    namesakes = ["v2 #1 (default, 3epochs)", "v2 #2 (default, 3epochs)"]
    assert sorted(titles.values()) == ["v0", *namesakes]  # as many keys


def test_without_a_measured_rung_there_is_no_figure(sweep: Material) -> None:
    assert ladder_figures(sweep) == []
    failed = make_rung("dataloader", status="crashed", num_turns=0)
    assert ladder_figures(make_material([failed])) == []


def test_the_axis_is_logarithmic_from_ten_times_on() -> None:
    figures = ladder_figures(gather([TABLES / "ladder-cpu-batch32.jsonl"]))
    by_title = {figure.title: figure for figure in figures}
    assert axis_titles(by_title["v0"]) == {"times as fast as the lowest rung, log scale"}
    assert axis_titles(by_title["v2"]) == {"times as fast as the lowest rung"}
    assert values_of(by_title["v0"], "text")["one thread"] == "24.1\N{MULTIPLICATION SIGN}"
    check_figures(figures[:1])


@pytest.mark.parametrize("num_turns", [1, 5])
def test_few_rounds_have_no_interval(num_turns: int) -> None:
    figure = figure_of(*make_ladder(num_turns=num_turns))
    assert values_of(figure, "low") == {}
    assert "Thin lines" not in figure.caption
    check_figures([figure])
