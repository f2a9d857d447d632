"""The charts of settings: a line for each model, on the axis that the values ask for."""

from typing import Any

import pytest

from results import RunRecord
from results.report.charts.setting_charts import setting_figures, setting_lines, varied_settings
from results.report.charts.vega import ReportFigure
from results.report.compose import sections
from results.report.material import Material
from results.rows.rows import table_rows
from tests.results.records_by_hand import make_record, make_values
from tests.results.report.charts_by_hand import check_figures, make_material, rows_of, svg_of

SIZES, OPTIMIZERS = (32, 64, 128), ("sgd", "adamw")


def run(
    model: str,
    seed: int = 0,
    *,
    accuracy: float = 0.8,
    model_hash: str | None = None,
    **recipe: Any,  # noqa: ANN401
) -> RunRecord:
    name = "".join(["sgd", *(f"+{key}={value}" for key, value in recipe.items())])
    spec = {"recipe": {"name": name} | recipe, "model_hash": model_hash}
    spec["plan"] = f"of-{recipe}"  # as `auto` may choose
    values = make_values(accuracy + seed / 100, 1.0 + seed / 10, 100, 2**20)
    return make_record(model, seed, spec=spec, values=values)


@pytest.fixture(scope="module")
def grid() -> Material:
    return make_material(
        [
            run(model, seed, accuracy=0.7 + size / 1000, batch_size=size, optimizer=optimizer)
            for model in ("v0", "v2")
            for size in SIZES
            for optimizer in OPTIMIZERS
            for seed in (0, 1)
        ]
    )


def axis_of(figure: ReportFigure) -> dict[str, Any]:
    found: dict[str, Any] = figure.specifications["wide"]["encoding"]["x"]
    return found


def test_a_line_is_a_model_under_one_combination_of_the_others(grid: Material) -> None:
    """Lines that `auto`, or the name of a changed recipe, cuts into points."""
    assert varied_settings(grid) == ["optimizer", "batch_size"]
    of_size = setting_lines(grid, "batch_size")
    assert len(of_size) == 12
    assert set(of_size) == {f"{m} (optimizer={o})" for m in ("v0", "v2") for o in OPTIMIZERS}
    of_optimizer = set(setting_lines(grid, "optimizer"))
    assert of_optimizer == {f"{m} (batch_size={size})" for m in ("v0", "v2") for size in SIZES}


def test_the_curve_has_the_values_of_the_rows_and_doublings_are_evenly_spaced(
    grid: Material,
) -> None:
    """Another quantity than the title's, or 32 and 64 squeezed together."""
    figures = setting_figures(grid, "batch_size")
    check_figures(figures[2:])
    assert [figure.key for figure in figures] == [
        f"setting-batch_size-{quantity}" for quantity in ("images", "peak", "test")
    ]
    assert axis_of(figures[2])["scale"] | {"type": "log", "base": 2} == axis_of(figures[2])["scale"]
    assert axis_of(figures[2])["axis"]["values"] == list(SIZES)
    rows = table_rows([one.summary for one in grid.finished])
    drawn = [(row["setting"], round(row["value"], 6)) for row in rows_of(figures[2])]
    wanted = [(row["batch_size"], round(row["test_accuracy"] * 100, 6)) for row in rows]
    assert sorted(drawn) == sorted(wanted)
    lows = [row["low"] for row in rows_of(figures[2])]
    assert all(low is not None and low >= 0 for low in lows)
    drawing = svg_of(figures[2], "narrow")
    assert all(f">{size}<" in drawing for size in SIZES)


def test_words_are_points_side_by_side_in_the_order_in_which_they_were_run(grid: Material) -> None:
    """A line that seems to lead from one optimizer to another, or dots that hide each other."""
    figure = setting_figures(grid, "optimizer")[0]
    check_figures([figure])
    encoding, layers = (figure.specifications["wide"][part] for part in ("encoding", "layer"))
    assert axis_of(figure)["sort"] == list(OPTIMIZERS)
    assert encoding["xOffset"] == {"field": "series"}
    assert "line" not in {layer["mark"]["type"] for layer in layers}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((0.1, 0.001), "log"),
        ((0.0, 0.1, 0.2), None),
        ((3, 5), None),
        ((0, 0.5), None),
        ((0, 1, 1000), "symlog"),
    ],
)
def test_an_axis_of_numbers_is_as_wide_as_they_are(
    values: tuple[float, ...], kind: str | None
) -> None:
    """A logarithm of zero, or learning rates that share a pixel, of which one loses its label."""
    material = make_material([run("v0", learning_rate=value) for value in values])
    figure = setting_figures(material, "learning_rate")[0]
    axis = axis_of(figure)
    assert axis["scale"].get("type") == kind
    assert axis["axis"]["values"] == sorted(values)
    drawing = svg_of(figure, "narrow")
    assert all(f">{value:,g}<" in drawing for value in values)


def test_the_page_has_a_part_for_each_setting_and_none_without(grid: Material) -> None:
    """A report that does not show what was varied, or an empty part where nothing was."""
    found = {part.key: part for part in sections(grid)}
    assert found["setting-batch_size"].names == tuple(
        dict.fromkeys(setting_lines(grid, "batch_size"))
    )
    alone = make_material([run("v0", batch_size=32), run("v2", batch_size=32)])
    assert varied_settings(alone) == []
    apart = make_material([run("v0", batch_size=32), run("v2", batch_size=64)])
    assert setting_figures(apart, "batch_size") == [], "no model has two values"
    assert varied_settings(make_material([make_record("v0", status="crashed")])) == []


def test_rows_of_one_name_and_value_are_two_lines() -> None:
    """A line that goes back and forth between runs that no setting tells apart."""
    runs = [run("v0", batch_size=32), run("v0", batch_size=64)]
    runs.append(run("v0", batch_size=32, model_hash="0" * 12))
    assert setting_lines(make_material(runs), "batch_size") == ["v0", "v0", "v0 #2"]
