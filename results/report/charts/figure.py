"""A chart of the report: its words, and its Vega-Lite specification for a desktop and a phone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results.classes import CLASS_NAMES
from results.report.charts.scales import Scale, num_ticks
from results.report.charts.theme import (
    LAYOUTS,
    ChartLayout,
    config,
    series_colours,
    series_dashes,
    series_shapes,
    variable,
)
from results.report.material import Series

if TYPE_CHECKING:
    import altair as alt

Specification = dict[str, Any]
Rows = list[dict[str, Any]]
SHOWN = "shown"  # the parameter that holds the names of the series to draw
CHOSEN = "chosen"  # the parameter that holds the one series to draw
CLASSES = "classes"  # the parameter that holds the names of the classes
IS_SHOWN = f"indexof({SHOWN}, datum.series) >= 0"
IS_CHOSEN = f"datum.series == {CHOSEN}"
# of an axis: whole decimals, where Vega's own format would write 100 as 1e+2
DECIMALS = "format(datum.value, ',.12~r')"


@dataclass(frozen=True, slots=True)
class ReportFigure:
    """One chart.

    Attributes:
        key: Its id in the page, and the stem of its file.
        title: What it shows, in words that stand over it.
        caption: How to read it, below it.
        specifications: Vega-Lite by the name of the layout.
    """

    key: str
    title: str
    caption: str
    specifications: dict[str, Specification]


def draw(
    key: str,
    title: str,
    caption: str,
    chart: "Callable[[ChartLayout], alt.TopLevelMixin]",
    data: Callable[[ChartLayout], Mapping[str, Rows]] | None = None,
) -> ReportFigure:
    """A figure, drawn once for each layout.

    Args:
        key: As in ReportFigure.
        title: As in ReportFigure.
        caption: As in ReportFigure.
        chart: The chart in a layout.
        data: Rows by the names under which the chart asks for them: Altair copies what stands in
            a chart with every layer, which takes seconds where it is much.
    """
    specifications = {}
    for layout in LAYOUTS:
        # tests validate: here it would only take time
        specification = chart(layout).to_dict(validate=False)
        if data is not None:
            specification["datasets"] = dict(data(layout))
        specification["config"] = config()
        # other series may need wider labels at the axes
        specification["autosize"] = {"type": "pad", "resize": True}
        specification["description"] = f"{title}. {caption}"
        specifications[layout.name] = specification
    return ReportFigure(key, title, caption, specifications)


def shown_parameter(names: Sequence[str]) -> "alt.Parameter":
    """The parameter by which the page hides series: a list of names, all at first."""
    import altair as alt

    return alt.param(name=SHOWN, value=list(names))


def chosen_parameter(name: str) -> "alt.Parameter":
    """The parameter by which the page picks one series."""
    import altair as alt

    return alt.param(name=CHOSEN, value=name)


def classes_parameter() -> "alt.Parameter":
    """The names of the classes, so that data may hold their numbers."""
    import altair as alt

    return alt.param(name=CLASSES, value=list(CLASS_NAMES))


def absence(names: Sequence[str], layout: ChartLayout) -> "alt.Chart":
    """A layer that says so where the chosen series is none of a chart's."""
    import altair as alt

    base = alt.Chart(
        alt.Data(values=[{"names": list(names), "text": "Not recorded for this run."}])
    )
    base = base.transform_filter(f"indexof(datum.names, {CHOSEN}) < 0").encode(text="text:N")
    text: alt.Chart = base.mark_text(x=layout.width / 2, y=layout.height / 2)
    return text


def _scale(names: Sequence[str], values: Sequence[Any]) -> "alt.Scale":
    import altair as alt

    return alt.Scale(domain=list(names), range=list(values))


def colour(names: Sequence[str]) -> "alt.Color":
    """Colour by series, the same in every chart; without a legend: labels name the series."""
    import altair as alt

    return alt.Color("series:N", scale=_scale(names, series_colours(len(names))), legend=None)


def shape(names: Sequence[str]) -> "alt.Shape":
    """Shape by series, the same in every chart."""
    import altair as alt

    return alt.Shape("series:N", scale=_scale(names, series_shapes(len(names))), legend=None)


def dash(names: Sequence[str]) -> "alt.StrokeDash":
    """Dash by series, the same in every chart."""
    import altair as alt

    return alt.StrokeDash("series:N", scale=_scale(names, series_dashes(len(names))), legend=None)


def names_of(series: Sequence[Series]) -> list[str]:
    """Their labels."""
    return [one.label for one in series]


def tooltip(titles: Mapping[str, str], kind: str = "N") -> "list[alt.Tooltip]":
    """What is told of a mark when it is pointed at.

    Args:
        titles: Fields of the data, and what each is called.
        kind: Of the fields: N as it stands, Q as a number.
    """
    import altair as alt

    return [alt.Tooltip(f"{field}:{kind}", title=title) for field, title in titles.items()]


def ruled_axis(ruled: Scale, scale: Scale, pixels: int) -> "alt.Axis":
    """Ticks in whole decimals along a part of an axis; beyond it only texts have their room.

    Args:
        ruled: The part that has values.
        scale: The axis.
        pixels: Its length.
    """
    import altair as alt

    return alt.Axis(values=ruled.ticks(num_ticks(scale, ruled, pixels)), labelExpr=DECIMALS)


def unknown_for(what: str, material_names: Sequence[str], drawn: Sequence[str]) -> str:
    """The sentence of a caption about the series that a chart cannot draw; empty for none."""
    left_out = [name for name in material_names if name not in drawn]
    return f" Not drawn ({what}): {', '.join(left_out)}." if left_out else ""


def readable(base: "alt.Chart", encoding: Mapping[str, Any], **mark: Any) -> "list[alt.Chart]":  # noqa: ANN401 - properties of a mark
    """A text as two layers: a halo keeps what lies behind it away from its letters."""
    place = {"baseline": "middle", **mark}
    halo = base.mark_text(
        **place | {"stroke": variable("--page"), "strokeWidth": 4, "strokeJoin": "round"}
    )
    return [layer.encode(**encoding) for layer in (halo, base.mark_text(**place))]
