"""Parts of Vega-Lite that several charts share, as plain data.

A chart either compares the series that the reader has not hidden, or draws the one that the reader
picks: a parameter of the chart, which the page sets, says which.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from results.classes import CLASS_NAMES
from results.report.charts.theme import (
    CHARACTER_WIDTH,
    ChartLayout,
    series_colours,
    series_dashes,
    series_shapes,
)

Specification = dict[str, Any]
Rows = list[dict[str, Any]]
SHOWN = "shown"  # the parameter that holds the names of the series to draw
CHOSEN = "chosen"  # the parameter that holds the one series to draw
NOTES = "notes"  # the parameter that holds a line over the chart for each series to choose
IF_SHOWN = {"filter": f"indexof({SHOWN}, datum.series) >= 0"}
IF_CHOSEN = {"filter": f"datum.series == {CHOSEN}"}
CLASS_OF = f"{list(CLASS_NAMES)}[{{}}]"  # an expression: the name of a class by its number
NOTHING = "Not recorded for this run."
PADDING = 14  # pixels between the outermost points and the edge of the plot area
SYMBOL_WIDTH = 34  # pixels of a legend's symbol and the room around it and its name
# An axis in whole decimals, where Vega's own format would write 100 as 1e+2. Of a logarithmic one
# Vega leaves labels empty that have no room.
DECIMALS = "datum.label && format(datum.value, ',.12~r')"
LOG_AXIS = {  # few labels, such as 1, 2, 10 and 20, and a grid at these alone
    "tickCount": 5,
    "gridOpacity": {"condition": {"test": "datum.label == ''", "value": 0}, "value": 1},
}
THOUSANDS = "datum.label && format(datum.value, '~s')"  # 10k, 1M: a second would become 1000m


def size_of(layout: ChartLayout) -> Specification:
    """The size of the plot area."""
    return {"width": layout.width, "height": layout.height}


def quantity(
    field: str,
    title: str,
    values: Iterable[float] = (),
    *,
    is_log: bool = False,
    scale: Specification | None = None,
    axis: Specification | None = None,
) -> Specification:
    """A channel of numbers, with whole decimals at its axis.

    Args:
        field: Of the data.
        title: Of the axis, with the unit.
        values: The axis reaches from the least to the greatest; without any, over those drawn.
        is_log: Whether the axis is logarithmic.
        scale: More of Vega-Lite's properties of the scale.
        axis: The same of the axis.
    """
    known = [*values]
    domain = {"domain": [min(known), max(known)]} if known else {}
    kind = {"type": "log"} if is_log else {"zero": False}
    return {
        "field": field,
        "type": "quantitative",
        "title": f"{title}, log scale" if is_log else title,
        "scale": domain | kind | {"nice": False, "padding": PADDING} | (scale or {}),
        "axis": {"labelExpr": DECIMALS} | (LOG_AXIS if is_log else {}) | (axis or {}),
    }


def layer(
    mark: Specification, encoding: Specification | None = None, only: str = ""
) -> Specification:
    """Marks of one kind; `only` is an expression of the rows that have one."""
    where = {"transform": [{"filter": only}]} if only else {}
    return where | {"mark": mark, "encoding": encoding or {}}


def shown_parameter(names: Sequence[str]) -> Specification:
    """The parameter by which the page hides series: a list of names, all at first."""
    return {"name": SHOWN, "value": list(names)}


def note_of(notes: Mapping[str, str]) -> Specification:
    """The parameter by which the page picks a series, and a title that says something of it."""
    chosen = {"name": CHOSEN, "value": next(iter(notes))}
    return {
        "title": {"text": {"expr": f"{NOTES}[{CHOSEN}] || ''"}},
        "params": [{"name": NOTES, "value": dict(notes)}, chosen],
    }


def absence(names: Sequence[str], layout: ChartLayout) -> Specification:
    """A layer that says so where the chosen series is none of a chart's."""
    return {
        "data": {"values": [{"names": list(names)}]},
        "transform": [{"filter": f"indexof(datum.names, {CHOSEN}) < 0"}],
        "mark": {"type": "text", "text": NOTHING, "x": layout.width / 2, "y": layout.height / 2},
    }


def legend(names: Sequence[str], layout: ChartLayout) -> Specification:
    """A legend above the plot area, in columns as wide as the longest name."""
    column = SYMBOL_WIDTH + max(map(len, names)) * CHARACTER_WIDTH
    columns = max(1, int(layout.width // column))
    limit = layout.width // columns - SYMBOL_WIDTH + 10
    return {"orient": "top", "title": None, "columns": columns, "labelLimit": limit}


def marked(
    field: str,
    names: Sequence[str],
    legend: Specification | None = None,
    channels: Sequence[str] = ("color", "shape"),
) -> Specification:
    """Colour, shape or dash by name, the same in every chart.

    Args:
        field: The field that holds the name.
        names: All there are, in the order of their colours.
        legend: None where the names stand beside the marks.
        channels: Of these: color, shape, strokeDash.
    """
    values = {"color": series_colours, "shape": series_shapes, "strokeDash": series_dashes}
    return {
        channel: {
            "field": field,
            "type": "nominal",
            "scale": {"domain": list(names), "range": values[channel](len(names))},
            "legend": legend,
        }
        for channel in channels
    }


def marked_series(
    drawn: Sequence[str],
    names: Sequence[str],
    layout: ChartLayout,
    channels: Sequence[str] = ("color", "shape"),
) -> Specification:
    """Colour, shape or dash by series, with a legend of those shown.

    Args:
        drawn: The series of this chart.
        names: All series, in the order of their colours.
        layout: The legend is as wide.
        channels: As in `marked`.
    """
    # an empty legend would have no size at all, and the chart none with it
    some = {"values": {"expr": f"length({SHOWN}) ? {SHOWN} : domain('color')"}}
    return marked("series", names, legend(drawn, layout) | some, channels)


def tooltip(titles: Mapping[str, str], kind: str = "nominal") -> Specification:
    """What is told of a mark when it is pointed at: fields of the data, and their titles."""
    told = [{"field": field, "title": title, "type": kind} for field, title in titles.items()]
    return {"tooltip": told}
