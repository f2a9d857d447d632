"""Charts of ladders hold the ratios of the ladder's table."""

from dataclasses import replace
from pathlib import Path

import pytest

from results.ladder.rows import ladder_rows
from results.report.charts.ladder_chart import ladder_figures
from results.report.material import gather
from tests.bench.ladder.ladder_by_hand import make_ladder, make_rung
from tests.results.records_by_hand import make_sweep
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


def test_ratios_and_intervals_are_those_of_the_rows(tmp_path: Path) -> None:
    ladder = make_ladder()
    (figure,) = ladder_figures(make_material(ladder, tmp_path))
    for row, drawn in zip(ladder_rows(ladder), reversed(rows_of(figure)), strict=True):
        assert drawn["series"] == row["rung"]
        assert drawn["value"] == row["ratio"]
        interval = row["ratio_ci95"] or (None, None)
        assert (drawn["low"], drawn["high"]) == tuple(interval)
    assert figure.title == "v2"


def test_the_first_rung_stands_at_the_bottom_and_the_fastest_is_bold(tmp_path: Path) -> None:
    (figure,) = ladder_figures(make_material(make_ladder(), tmp_path))
    assert list(values_of(figure, "text"))[-1] == "dataloader"
    assert row_of(figure, "step")["note"] == "54.0 s to compile"
    assert row_of(figure, "resident")["note"] == ""  # its 0.2 s compiled nothing
    assert [row["series"] for row in rows_of(figure) if row["best"]] == ["step"]
    assert axis_titles(figure) == {"times as fast as the lowest rung"}


def test_the_compile_seconds_stand_after_the_ratio_and_on_a_phone_after_the_name(
    tmp_path: Path,
) -> None:
    (figure,) = ladder_figures(make_material(make_ladder(), tmp_path))
    assert "4.00\N{MULTIPLICATION SIGN}, 54.0 s to compile</text>" in svg_of(figure)
    on_a_phone = svg_of(figure, "narrow")
    assert "4.00\N{MULTIPLICATION SIGN}</text>" in on_a_phone
    assert "step, 54.0 s to compile</text>" in on_a_phone


def test_a_failed_rung_keeps_its_place_and_says_why(tmp_path: Path) -> None:
    failed = make_rung("step", status="out_of_memory", reason="no\nmore " * 30, num_turns=0)
    rungs = [*make_ladder()[:4], failed]
    (figure,) = ladder_figures(make_material(rungs, tmp_path))
    text = values_of(figure, "text")["step"]
    assert text.startswith("out_of_memory: no more no")
    assert len(text) == 44
    assert "step" not in values_of(figure, "value")
    assert f"{text}</text>" in svg_of(figure)
    check_figures([figure])


def test_a_rung_without_a_plan_is_drawn(tmp_path: Path) -> None:
    rungs = [replace(rung, spec=rung.spec | {"plan": None}) for rung in make_ladder()]
    (figure,) = ladder_figures(make_material(rungs, tmp_path))
    assert {row["plan"] for row in rows_of(figure)} == {"unknown"}


def test_each_ladder_of_a_model_has_a_title_of_its_own(tmp_path: Path) -> None:
    rungs = [*make_ladder(ladder="a" * 16), *make_ladder(ladder="b" * 16), *make_ladder("v0")]
    figures = ladder_figures(make_material(rungs, tmp_path))
    assert sorted(figure.title for figure in figures) == [
        "v0",
        "v2 #1 (default, 3epochs)",
        "v2 #2 (default, 3epochs)",
    ]
    assert len({figure.key for figure in figures}) == 3


def test_without_a_measured_rung_there_is_no_figure(tmp_path: Path) -> None:
    assert ladder_figures(make_material(make_sweep(), tmp_path)) == []
    failed = make_rung("dataloader", status="crashed", num_turns=0)
    assert ladder_figures(make_material([failed], tmp_path)) == []


def test_the_axis_is_logarithmic_from_ten_times_on() -> None:
    figures = ladder_figures(gather([TABLES / "ladder-cpu-batch32.jsonl"]))
    titles = {figure.title: axis_titles(figure) for figure in figures}
    assert titles["v0"] == {"times as fast as the lowest rung, log scale"}
    assert titles["v2"] == {"times as fast as the lowest rung"}
    texts = {figure.title: values_of(figure, "text") for figure in figures}
    assert texts["v0"]["one thread"] == "24.1\N{MULTIPLICATION SIGN}"
    check_figures(figures[:1])


@pytest.mark.parametrize("num_turns", [1, 5])
def test_few_rounds_have_no_interval(tmp_path: Path, num_turns: int) -> None:
    (figure,) = ladder_figures(make_material(make_ladder(num_turns=num_turns), tmp_path))
    assert values_of(figure, "low") == {}
    assert "Thin lines" not in figure.caption
    check_figures([figure])
