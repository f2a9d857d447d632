"""A chart of the report: its words, and how it is drawn for a desktop and for a phone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from results.report.charts.theme import LAYOUTS, ChartLayout
from results.report.charts.vega import Rows, Specification
from results.report.material import Series


@dataclass(frozen=True, slots=True)
class ReportFigure:
    """One chart."""

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
    """A figure, drawn once for each layout."""
    whole = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": f"{title}. {caption}",
        # other series may need wider labels at the axes
        "autosize": {"type": "pad", "resize": True},
    }
    drawn = {layout.name: whole | chart(layout) for layout in LAYOUTS}
    return ReportFigure(key, title, caption, drawn, datasets)


def names_of(series: Sequence[Series]) -> list[str]:
    """Their labels."""
    return [one.label for one in series]


def unknown_for(what: str, material_names: Sequence[str], drawn: Sequence[str]) -> str:
    """The sentence of a caption about the series that a chart cannot draw; empty for none."""
    left_out = [name for name in material_names if name not in drawn]
    return f" Not drawn ({what}): {', '.join(left_out)}." if left_out else ""
