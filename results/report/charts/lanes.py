"""A lane for each name: its marks, and a text at its end.

On a desktop the name stands to the left of the lane and its text to the right; on a phone both
stand above the marks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results.report.charts import vega
from results.report.charts.theme import CHARACTER_WIDTH, GRID, QUIET, TEXT, ChartLayout
from results.report.charts.vega import Rows, Specification

NAME_CHARACTERS = 28  # longer names are cut
NAMES_AND_PLOT = 50  # pixels beyond the layout's width: other charts have an axis there
LANE_HEIGHT, NAME_HEIGHT = 30, 14  # pixels; on a phone a lane has both
GAP = 10  # pixels between the plot area and a text
WITH_NOTE = "{} + (datum.note ? ', ' + datum.note : '')"
MOST_FOR_BARS = 20.0  # largest value over the smallest: beyond it short bars have no length to see


def lanes(
    rows: Rows, layers: Sequence[Specification], layout: ChartLayout, *, can_hide: bool = True
) -> Specification:
    """A chart of lanes; where one is hidden the others close up.

    Args:
        rows: A row for each lane from the top down, which the chart asks for as `rows`: `series`
            is its name, `text` stands at its end, `note` after that or, on a phone, after the
            name. `best` makes the text bold; where `in_lane` is true it has the place of the marks.
        layers: The marks, `marks_down(layout)` pixels below the middle of a lane.
        layout: Its width is that of plot area, names and texts together.
        can_hide: Whether the page hides some.
    """
    names = [str(row["series"]) for row in rows]
    width = layout.width + NAMES_AND_PLOT
    if not layout.is_narrow:
        characters = min(NAME_CHARACTERS, max(map(len, names))) + _longest(rows, "text", "note")
        width -= round(characters * CHARACTER_WIDTH)
    lane = {
        "field": "series",
        "type": "nominal",
        "title": None,
        "sort": names,
        "axis": {
            "labels": not layout.is_narrow,
            "labelLimit": round(NAME_CHARACTERS * CHARACTER_WIDTH),
            "labelPadding": 8,
            "ticks": False,
            "domain": False,
        }
        | vega.short_labels(names, NAME_CHARACTERS),
    }
    return {
        "data": {"name": "rows"},
        "transform": [vega.IF_SHOWN] if can_hide else [],
        "params": [vega.shown_parameter(names)] if can_hide else [],
        "width": width,
        "height": {"step": LANE_HEIGHT + (NAME_HEIGHT if layout.is_narrow else 0)},
        "encoding": {"y": lane},
        "layer": [*layers, *_texts(rows, width, layout)],
    }


def marks_down(layout: ChartLayout) -> int:
    """Pixels from the middle of a lane down to its marks."""
    return NAME_HEIGHT // 2 + 2 if layout.is_narrow else 0


def _longest(rows: Rows, *fields: str) -> int:
    """The characters of the longest text at the end of a lane, or of several after each other."""
    texts = [", ".join(filter(None, (row.get(name) for name in fields))) for row in rows]
    return max(len(text) for text, row in zip(texts, rows, strict=True) if not row.get("in_lane"))


def _text(lane: str, expression: str, **style: Any) -> Specification:  # noqa: ANN401
    """A text of the lanes for which an expression holds."""
    line = {"calculate": expression, "as": "line"}
    text = vega.layer({"type": "text", "align": "left"} | style, {"text": {"field": "line"}})
    return text | {"transform": [{"filter": lane}, line]}


def _texts(rows: Rows, width: int, layout: ChartLayout) -> list[Specification]:
    down = marks_down(layout)
    in_lane = _text("datum.in_lane", "datum.text", x=4, dy=down, limit=width - 4)
    end = {"x": width + GAP, "fontWeight": {"expr": "datum.best ? 'bold' : 'normal'"}}
    if not layout.is_narrow:
        return [in_lane, _text("!datum.in_lane", WITH_NOTE.format("datum.text"), **end)]
    up = down - NAME_HEIGHT - 2
    end |= {"x": width, "dy": up, "align": "right"}
    room = width - round(_longest(rows, "text") * CHARACTER_WIDTH) - GAP
    names = [str(row["series"]) for row in rows]
    series = vega.shortened("datum.series", names, int(room / CHARACTER_WIDTH))
    name = _text("true", WITH_NOTE.format(series), x=0, dy=up, limit=room)
    return [in_lane, name, _text("!datum.in_lane", "datum.text", **end)]


@dataclass(frozen=True, slots=True)
class Bar:
    """A lane with one value."""

    name: str  # what stands beside it, and what the page hides it by
    value: float | None  # in units of the axis; None where the text stands in its place
    text: str  # the value as a person reads it
    fill: str  # a colour of the style sheet
    interval: tuple[float, float] | None = None  # 95 %, in units of the axis
    facts: Mapping[str, str] = field(default_factory=dict)  # title to text, told by a tooltip
    note: str = ""  # what stands after the text or, on a phone, after the name
    is_best: bool = False  # its text is bold

    def row(self) -> dict[str, Any]:
        """Its data."""
        low, high = self.interval or (None, None)
        return dict(self.facts) | {
            "series": self.name,
            "value": self.value,
            "low": None if low is None else max(0.0, low),  # the quantity is never below zero
            "high": high,
            "text": self.text,
            "note": self.note,
            "fill": self.fill,
            "best": self.is_best,
            "in_lane": self.value is None,
        }


def needs_log(values: Sequence[float], most: float = MOST_FOR_BARS) -> bool:
    """Whether values are too far apart to be told by the lengths of bars."""
    return min(values) > 0 and max(values) > most * min(values)


def bars(
    lines: Sequence[Bar],
    axis: str,
    layout: ChartLayout,
    *,
    is_log: bool = False,
    reference: float | None = None,
    can_hide: bool = True,
) -> Specification:
    """Bars from zero, or dots on a logarithmic axis, each with its value at the end of its lane.

    The lines stand from the top down, and at least one has a value; `axis` is the title of the
    axis, `reference` a value to draw a rule at.
    """
    down = marks_down(layout)
    found = [end for line in lines for end in (line.value, *(line.interval or ()))]
    values = [end for end in (*found, reference) if end is not None and end > 0]
    from_zero = {} if is_log else {"domain": [0, max(values)], "nice": True, "padding": 0}
    grid = {"grid": not layout.is_narrow}  # it would cross the names
    x = vega.quantity("value", axis, values, is_log=is_log, scale=from_zero, axis=grid)
    fill = {"field": "fill", "type": "nominal", "scale": None}
    value = {"x": x, "color": fill} | vega.tooltip({title: title for title in lines[0].facts})
    is_known = "isValid(datum.value)"
    rule = {"type": "rule", "strokeWidth": 2, "color": TEXT, "yOffset": down}
    ends = {"x": x | {"field": "low"}, "x2": {"field": "high"}}
    interval = vega.layer(rule, ends, "isValid(datum.low)")
    if is_log:  # a faint line leads from the name to the dot; a short interval hides below it
        line = {"type": "rule", "color": GRID, "yOffset": down}
        dot = {"type": "point", "size": 110, "shape": "circle", "yOffset": down}
        leader = vega.layer(line, {"x": x, "x2": {"value": 0}}, is_known)
        marks = [leader, interval, vega.layer(dot, value, is_known)]
    else:
        bar = {"type": "bar", "size": 16, "opacity": 0.65, "yOffset": down}
        marks = [vega.layer(bar, value, is_known), interval]
    if reference is not None:  # a short one in each lane, which crosses no text
        tick = {"type": "tick", "size": 18, "thickness": 1.5, "color": QUIET, "yOffset": down}
        marks.append(vega.layer(tick, {"x": {"datum": reference, "type": "quantitative"}}))
    return lanes([line.row() for line in lines], marks, layout, can_hide=can_hide)
