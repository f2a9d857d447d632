"""A chart of the report, and the parts of Vega-Lite that several charts share, as plain data.

A chart either compares the series that the reader has not hidden, or draws the one that the reader
picks: a parameter of the chart, which the page sets, says which.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.classes import CLASS_NAMES
from results.report.charts.theme import (
    CHARACTER_WIDTH,
    DASHES,
    LAYOUTS,
    NUM_COLOURS,
    SHAPES,
    ChartLayout,
    series_colour,
)
from results.report.material import Series
from results.text import cut, one_line, short_names, visible

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


@dataclass(frozen=True, slots=True)
class ReportFigure:
    """One chart: its words, and how it is drawn for a desktop and for a phone."""

    key: str  # its id in the page, and the stem of its file
    title: str  # what it shows
    caption: str  # how to read it
    specifications: dict[str, Specification]  # Vega-Lite by the name of the layout, without data
    datasets: dict[str, Rows]  # by the names under which the specifications ask for them


def draw(
    key: str,
    title: str,
    caption: str,
    chart: Callable[[ChartLayout], Specification],
    **datasets: Rows,
) -> ReportFigure:
    """Draw a figure once for each layout; every text in it is made visible here."""
    title, caption = one_line(title), one_line(caption)
    whole = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": f"{title}. {caption}",
        # other series may need wider labels at the axes
        "autosize": {"type": "pad", "resize": True},
    }
    drawn = {layout.name: _visible(whole | chart(layout)) for layout in LAYOUTS}
    return ReportFigure(key, title, caption, drawn, _visible(datasets))


def _visible(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {_visible(key): _visible(content) for key, content in value.items()}
    return list(map(_visible, value)) if isinstance(value, list | tuple) else value


def names_of(series: Sequence[Series]) -> list[str]:
    """Their labels."""
    return [one.label for one in series]


def unknown_for(what: str, material_names: Sequence[str], drawn: Sequence[str]) -> str:
    """The sentence of a caption about the series that a chart cannot draw; empty for none."""
    left_out = [name for name in material_names if name not in drawn]
    return f" Not drawn ({what}): {', '.join(left_out)}." if left_out else ""


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
    """A channel of numbers, with whole decimals at its axis, whose title holds the unit.

    The axis reaches from the least to the greatest of `values`; without any, over those drawn.
    `scale` and `axis` hold more of Vega-Lite's properties of either.
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


def flattened(*fields: str) -> Specification:
    """The transform that makes a row of each value of some lists."""
    return {"transform": [{"flatten": list(fields)}]}


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
    look = {"orient": "top", "title": None, "columns": columns, "labelLimit": limit}
    return look | short_labels(names, int(limit / CHARACTER_WIDTH))


def short_labels(names: Sequence[str], characters: int) -> Specification:
    """The labels of an axis or a legend as `shortened` has them."""
    label = shortened("datum.label", names, characters)
    return {} if label == "datum.label" else {"labelExpr": label}


def shortened(expression: str, names: Sequence[str], characters: int) -> str:
    """An expression of a name; cut to what tells it apart, where Vega would cut several alike."""
    if len({cut(name, characters) for name in names}) == len(set(names)):
        return expression
    return f"({json.dumps(short_names(names, characters))})[{expression}]"


def marked(
    field: str,
    names: Sequence[str],
    legend: Specification | None = None,
    channels: Sequence[str] = ("color", "shape"),
) -> Specification:
    """Colour, shape or dash (strokeDash) by the name in a field, the same in every chart.

    `names` are all there are, in the order of their colours; no legend stands where the names
    stand beside the marks.
    """
    places = range(len(names))
    values = {
        "color": [series_colour(k) for k in places],
        # no two series have both colour and shape alike before the 24th
        "shape": [SHAPES[(k + k // NUM_COLOURS) % len(SHAPES)] for k in places],
        "strokeDash": [list(DASHES[k // NUM_COLOURS % len(DASHES)]) for k in places],
    }
    return {
        channel: {
            "field": field,
            "type": "nominal",
            "scale": {"domain": list(names), "range": values[channel]},
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
    """Colour, shape or dash by series, as `marked`, with a legend of those shown of a chart's."""
    # an empty legend would have no size at all, and the chart none with it
    some = {"values": {"expr": f"length({SHOWN}) ? {SHOWN} : domain('color')"}}
    return marked("series", names, legend(drawn, layout) | some, channels)


def tooltip(titles: Mapping[str, str], kind: str = "nominal") -> Specification:
    """What is told of a mark when it is pointed at: fields of the data, and their titles."""
    told = [{"field": field, "title": title, "type": kind} for field, title in titles.items()]
    return {"tooltip": told}
