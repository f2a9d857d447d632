"""The share of the floor: what of the speed that a machine allows a model was trained with."""

from typing import TYPE_CHECKING

from results.render.columns import share_of_floor
from results.report.charts.bars import Bar, draw_bars
from results.report.charts.figure import (
    IS_SHOWN,
    ReportFigure,
    draw,
    names_of,
    shown_parameter,
    unknown_for,
)
from results.report.charts.theme import ChartLayout, series_colours
from results.report.material import Material, Series
from results.text import format_latency, format_seconds

if TYPE_CHECKING:
    import altair as alt


def floor_figures(material: Material) -> list[ReportFigure]:
    """A figure of the models of which the floor is known, or none."""
    series = [one for one in material.finished if one.row["percent_of_floor"]]
    series.sort(key=lambda one: float(one.row["percent_of_floor"]), reverse=True)
    if not series:
        return []
    caption = (
        "The floor is the least time that a training step could take on this machine: its FLOPs "
        "at the measured matmul rate, its bytes at the measured copy rate or the start of its "
        "kernels, whichever takes longest and so binds. At 100 % nothing is lost."
    )
    if any(one.row["percent_of_floor"] > 100 for one in series):
        caption += (
            " Above it stand convolutions that take fewer FLOPs than the direct ones that are "
            "counted, or ceilings measured while the machine was busy."
        )
    caption += unknown_for("floor unknown", names_of(material.finished), names_of(series))
    colours = series_colours(len(material.names))
    bars = [_floor_bar(one, colours[one.index]) for one in series]

    def chart(layout: ChartLayout) -> "alt.TopLevelMixin":
        axis = "share of the speed at the floor (%)"
        rows = draw_bars(bars, axis, layout, reference=100.0, hide=IS_SHOWN)
        return rows.add_params(shown_parameter(names_of(series)))

    return [draw("limit-floor", "Share of what the machine allows", caption, chart)]


def _floor_bar(series: Series, fill: str) -> Bar:
    row = series.row
    percent, _, binding = share_of_floor(row).partition(" % ")
    facts = {
        "model": series.label,
        "of the floor": f"{percent} %",
        "binds": binding or "unknown",
        "floor of a step": _step_text(row["floor_s"]),
        "plan": row["plan"],
    }
    bound = f"{binding} binds" if binding else ""
    return Bar(series.label, row["percent_of_floor"], f"{percent} %", fill, None, facts, bound)


def _step_text(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return format_seconds(seconds) if seconds >= 1e-3 else format_latency(seconds)
