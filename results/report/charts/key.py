"""The key over a chart that cannot name its series beside their marks: only those shown."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from results.report.charts.figure import IS_SHOWN, colour, shape
from results.report.charts.theme import CHARACTER_WIDTH, ChartLayout

if TYPE_CHECKING:
    import altair as alt

ROW_HEIGHT = 18  # pixels
SYMBOL_WIDTH = 36  # a point and the room around it and the name


def key_layers(
    shown: Sequence[str], names: Sequence[str], layout: ChartLayout
) -> "list[alt.Chart]":
    """Points and names in rows above the plot area; series that are not shown take no room.

    Args:
        shown: The series of the chart.
        names: All series, in the order of their colours.
        layout: Size of the plot area.
    """
    import altair as alt

    width = min(layout.width, SYMBOL_WIDTH + round(max(map(len, shown)) * CHARACTER_WIDTH))
    columns = layout.width // width
    base = alt.Chart(
        alt.Data(values=[{"series": name, "order": k} for k, name in enumerate(shown)])
    )
    base = base.transform_filter(IS_SHOWN).transform_joinaggregate(total="count()")
    # without an order those that are shown anew would come last
    base = base.transform_window(place="row_number()", sort=[alt.SortField("order")])
    base = base.transform_calculate(
        left=f"(datum.place - 1) % {columns} * {width} + 6",
        top=f"(floor((datum.place - 1) / {columns}) - ceil(datum.total / {columns})) "
        f"* {ROW_HEIGHT} + 4",
    )
    symbols = base.mark_point(size=80, opacity=1, **_at(0)).encode(
        color=colour(names), shape=shape(names)
    )
    text = base.mark_text(
        align="left", baseline="middle", limit=width - SYMBOL_WIDTH + 12, **_at(10)
    )
    return [symbols, text.encode(text="series:N")]


def _at(indent: int) -> dict[str, Any]:
    import altair as alt

    return {"x": alt.expr(f"datum.left + {indent}"), "y": alt.expr("datum.top")}
