"""Rows of bars from zero, or of dots on a logarithmic axis, each with its value beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from results.report.charts.figure import readable, ruled_axis, tooltip
from results.report.charts.lanes import (
    NAME_CHARACTERS,
    lane_axis,
    lane_height,
    lane_names,
    lane_width,
    marks_down,
)
from results.report.charts.scales import PAD, Scale, log_scale, with_room
from results.report.charts.theme import CHARACTER_WIDTH, ChartLayout, variable
from results.text import shortened

if TYPE_CHECKING:
    import altair as alt

MOST_FOR_BARS = 20.0  # largest value over the smallest: beyond it short bars have no length to see
LEFT_OF_TEXT = 13.0  # pixels between a mark and its text
BAR_HEIGHT = 16
LOG = ", log scale"  # what the title of a logarithmic axis says


@dataclass(frozen=True, slots=True)
class Bar:
    """One row.

    Attributes:
        name: What stands beside it, and what the page hides it by.
        value: In units of the axis; None where the text stands in its place.
        text: Its value as a person reads it.
        fill: A colour of the style sheet.
        interval: 95 %, in units of the axis.
        facts: Title to text of what is told of it when pointed at.
        note: What stands after the value or, on a phone, after the name.
        is_best: Whether its text is bold.
    """

    name: str
    value: float | None
    text: str
    fill: str
    interval: tuple[float, float] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    is_best: bool = False

    @property
    def right(self) -> float | None:
        """Where the mark ends and the text begins, in units of the axis."""
        if self.value is None or self.interval is None:
            return self.value
        return max(self.value, self.interval[1])

    def beside(self, layout: ChartLayout) -> str:
        """The text beside its mark."""
        return f"{self.text}, {self.note}" if self.note and not layout.is_narrow else self.text

    def above(self) -> str:
        """The text above its mark, on a phone."""
        name = shortened(self.name, NAME_CHARACTERS)
        return f"{name}, {self.note}" if self.note else name


def needs_log(values: Sequence[float], most: float = MOST_FOR_BARS) -> bool:
    """Whether values are too far apart to be told by the lengths of bars."""
    return min(values) > 0 and max(values) > most * min(values)


def draw_bars(
    bars: Sequence[Bar],
    axis: str,
    layout: ChartLayout,
    *,
    is_log: bool = False,
    reference: float | None = None,
    hide: str | None = None,
) -> "alt.LayerChart | alt.FacetChart":
    """The rows from the top down; where one is hidden the others close up.

    Args:
        bars: At least one has a value.
        axis: Title of the axis, with its unit.
        layout: On a phone the names stand above the bars, beside them elsewhere.
        is_log: Dots on a logarithmic axis in place of bars from zero.
        reference: A value to draw a rule at.
        hide: Vega expression of the rows that are drawn.
    """
    import altair as alt

    names = [bar.name for bar in bars]
    width = lane_width(names, layout)
    ruled = _scale(bars, is_log=is_log, reference=reference)
    scale = with_room(ruled, _texts(bars, layout), width)
    base = alt.Chart(alt.Data(values=[_row(bar, scale, layout) for bar in bars]), width=width)
    base = base.transform_filter(hide) if hide else base
    base = base.encode(y=lane_axis(names, layout))
    x = alt.X(
        "value:Q",
        title=axis + (LOG if is_log else ""),
        scale=alt.Scale(
            type="log" if is_log else "linear", domain=[scale.low, scale.high], nice=False
        ),
        axis=ruled_axis(ruled, scale, width),
    )
    rows = alt.layer(*_marks(base, x, bars, layout, is_log=is_log), *lane_names(base, layout))
    layers = [rows]  # a layer of their own writes their values once, not once a mark
    if reference is not None:
        at = alt.Chart(alt.Data(values=[{"value": reference}]), width=width)
        layers.insert(0, at.mark_rule(strokeDash=[4, 3], color=variable("--quiet")).encode(x=x))
    return alt.layer(*layers).properties(height=lane_height(layout))


def _scale(bars: Sequence[Bar], *, is_log: bool, reference: float | None) -> Scale:
    """The part of the axis that has values."""
    values = [bar.value for bar in bars if bar.value is not None]
    ends = [end for bar in bars for end in bar.interval or () if end > 0]
    spots = [*values, *ends, *([] if reference is None else [reference])]
    return log_scale(spots) if is_log else Scale(0.0, max(spots) * (1 + PAD))


def _texts(bars: Sequence[Bar], layout: ChartLayout) -> list[tuple[float, float]]:
    """Where the texts begin, and their pixels."""
    return [
        (bar.right, len(bar.beside(layout)) * CHARACTER_WIDTH + LEFT_OF_TEXT)
        for bar in bars
        if bar.right is not None
    ]


def _row(bar: Bar, scale: Scale, layout: ChartLayout) -> dict[str, Any]:
    low, high = bar.interval or (None, None)
    if low is not None:
        low = max(low, scale.low)  # an interval may reach below zero, the quantity does not
    facts = {f"fact_{k}": text for k, text in enumerate(bar.facts.values())}
    return facts | {
        "series": bar.name,
        "start": scale.low,
        "name": bar.above(),
        "value": bar.value,
        "low": low,
        "high": high,
        "right": scale.low if bar.right is None else bar.right,
        "text": bar.beside(layout),
        "fill": bar.fill,
        "best": bar.is_best,
    }


def _marks(
    base: "alt.Chart", x: "alt.X", bars: Sequence[Bar], layout: ChartLayout, *, is_log: bool
) -> "list[alt.Chart]":
    """Bars or dots, their intervals and texts; on a phone below the names."""
    import altair as alt

    down = marks_down(layout)
    fill, facts = alt.Color("fill:N", scale=None), _tooltip(bars)
    known = base.transform_filter("isValid(datum.value)")
    spread = known.transform_filter("isValid(datum.low)")
    spread = spread.mark_rule(strokeWidth=2, color=variable("--text"), yOffset=down)
    interval = spread.encode(x=alt.X("low:Q"), x2="high:Q")
    texts = readable(
        base,
        {"x": alt.X("right:Q"), "text": "text:N", "tooltip": facts},
        align="left",
        dx=LEFT_OF_TEXT - 3,
        dy=down,
        fontWeight=alt.expr("datum.best ? 'bold' : 'normal'"),
    )
    if not is_log:
        bar = known.mark_bar(size=BAR_HEIGHT, opacity=0.65, yOffset=down)
        return [bar.encode(x=x, color=fill, tooltip=facts), interval, *texts]
    # a faint line leads from the name to the dot; a short interval hides below it
    line = known.mark_rule(color=variable("--grid"), yOffset=down)
    dot = known.mark_point(size=110, filled=True, opacity=1, shape="circle", yOffset=down)
    line, dot = line.encode(x=alt.X("start:Q"), x2="value:Q"), dot.encode(x=x, color=fill)
    return [line, interval, dot.encode(tooltip=facts), *texts]


def _tooltip(bars: Sequence[Bar]) -> "list[alt.Tooltip]":

    titles = bars[0].facts
    return tooltip({f"fact_{k}": title for k, title in enumerate(titles)})
