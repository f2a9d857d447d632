"""Rows of a chart, one for each name: the name stands beside them, on a phone above."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.report.charts.figure import readable
from results.report.charts.theme import CHARACTER_WIDTH, ChartLayout

if TYPE_CHECKING:
    import altair as alt

NAME_CHARACTERS = 28  # longer names are cut
NAMES_AND_PLOT = 50  # pixels beyond the layout's width: charts without lanes have an axis there
NAME_ABOVE = 9  # pixels from the middle of a lane up to its name and down to its marks, on a phone


def lane_width(names: Sequence[str], layout: ChartLayout) -> int:
    """Pixels of the plot area: with the names it is as wide as the charts that have two axes."""
    whole = layout.width + NAMES_AND_PLOT
    if layout.is_narrow:
        return whole
    return whole - round(max(min(len(name), NAME_CHARACTERS) for name in names) * CHARACTER_WIDTH)


def lane_height(layout: ChartLayout, room: int = 30) -> "alt.Step":
    """Of the whole chart: where lanes are hidden the others close up.

    Args:
        layout: A phone needs room for the names as well.
        room: Pixels for the marks of a lane.
    """
    import altair as alt

    return alt.Step(room + 12 if layout.is_narrow else room)


def marks_down(layout: ChartLayout) -> int:
    """Pixels from the middle of a lane down to its marks."""
    return NAME_ABOVE if layout.is_narrow else 0


def lane_axis(names: Sequence[str], layout: ChartLayout) -> "alt.Y":
    """The lanes from the top down, by the field `series`."""
    import altair as alt

    axis = alt.Axis(
        labels=not layout.is_narrow,
        labelLimit=round(NAME_CHARACTERS * CHARACTER_WIDTH),
        ticks=False,
        domain=False,
        labelPadding=8,
    )
    return alt.Y("series:N", title=None, sort=list(names), axis=axis)


def lane_names(base: "alt.Chart", layout: ChartLayout, up: int = NAME_ABOVE) -> "list[alt.Chart]":
    """On a phone the names as a layer, `up` pixels above the middle, from the field `name`."""
    import altair as alt

    if not layout.is_narrow:
        return []
    names = base.transform_aggregate(groupby=["series", "name"])  # a name once, not once a mark
    return readable(names, {"x": alt.value(0), "text": "name:N"}, align="left", dy=-up)
