"""Which classes are hard, and for whom: F1, recall and precision of each class, as grouped bars."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from results.classes import CLASS_NAMES, ClassQuality, precision_recall_f1
from results.report.charts.confusion import Counts, counts_of
from results.report.charts.figure import (
    IS_SHOWN,
    ReportFigure,
    colour,
    draw,
    names_of,
    shape,
    shown_parameter,
    tooltip,
    unknown_for,
)
from results.report.charts.key import key_layers
from results.report.charts.theme import ChartLayout
from results.report.material import Material, Series

if TYPE_CHECKING:
    import altair as alt

    Chart = alt.TopLevelMixin

BAR_HEIGHT = 12  # pixels: a number fits beside each bar
NARROW_WIDTH = 215  # class names to the left and numbers to the right take the rest of a phone


class Metric(NamedTuple):
    """A quality of a class, as an axis."""

    key: str
    name: str
    meaning: str


METRICS = (
    Metric("f1", "F1", "the harmonic mean of precision and recall"),
    Metric("recall", "recall", "the share of the images of the class that the model recognised"),
    Metric("precision", "precision", "the share of what the model took for the class that is it"),
)


def class_figures(material: Material) -> list[ReportFigure]:
    """F1, recall and precision of each class for the series that have a confusion matrix."""
    found = [(series, counts) for series in material.finished if (counts := counts_of(series))]
    return [_figure(material, metric, found) for metric in METRICS] if found else []


def _figure(
    material: Material, metric: Metric, found: Sequence[tuple[Series, Counts]]
) -> ReportFigure:
    rows = [_value(metric, series, counts) for series, counts in found]
    names = names_of([series for series, _ in found])
    caption = (
        f"{metric.name[0].upper()}{metric.name[1:]}: {metric.meaning}; over the images of all "
        "seeds of a model together. Longer is better."
    )
    caption += unknown_for("no confusion matrix", names_of(material.finished), names)
    return draw(
        f"classes-{metric.key}",
        f"{metric.name[0].upper()}{metric.name[1:]} of each class",
        caption,
        lambda layout: _chart(metric, names, material.names, layout),
        lambda layout: {"series": rows},
    )


def _chart(
    metric: Metric, shown: Sequence[str], names: Sequence[str], layout: ChartLayout
) -> "Chart":
    import altair as alt

    layout = replace(layout, width=NARROW_WIDTH) if layout.is_narrow else layout
    step = alt.Step(BAR_HEIGHT, **{"for": "offset"})  # the chart grows with the series shown
    base = alt.Chart(alt.NamedData("series"), width=layout.width, height=step)
    base = base.transform_filter(IS_SHOWN)
    base = base.transform_flatten(["class", "value", "text", "support", *_others(metric)])
    base = base.transform_calculate(end="isValid(datum.value) ? datum.value : 0").encode(
        x=alt.X(
            "end:Q",
            title=f"{metric.name} (%)",
            scale=alt.Scale(domain=[0, 100], nice=False),
            axis=alt.Axis(values=[0, 20, 40, 60, 80, 100], grid=False),  # each bar has its number
        ),
        y=alt.Y(
            "class:N",
            title=None,
            sort=list(CLASS_NAMES),
            scale=alt.Scale(paddingInner=0.25, paddingOuter=0.1),
        ),
        yOffset=alt.YOffset("series:N", sort=list(names), scale=alt.Scale(paddingInner=0.1)),
        tooltip=_tooltip(metric),
    )
    bars = base.mark_bar(opacity=0.55).encode(color=colour(names))
    ends = base.transform_filter("isValid(datum.value)").mark_point(size=45, opacity=1)
    text = base.mark_text(align="left", baseline="middle", dx=7, fontSize=10)
    layers = (
        bars,
        ends.encode(color=colour(names), shape=shape(names)),
        text.encode(text="text:N"),
    )
    key = key_layers(shown, names, layout)
    return alt.layer(*layers, *key).add_params(shown_parameter(shown))


def _others(metric: Metric) -> list[str]:
    return [f"{other.key}_text" for other in METRICS if other.key != metric.key]


def _value(metric: Metric, series: Series, counts: Counts) -> dict[str, Any]:
    qualities = precision_recall_f1(counts.total)
    values = [getattr(quality, metric.key) for quality in qualities]
    texts = {
        f"{other.key}_text": [_text(quality, other) for quality in qualities] for other in METRICS
    }
    return {
        "series": series.label,
        "class": list(CLASS_NAMES),
        "value": [None if value is None else round(value * 100, 3) for value in values],
        "text": texts.pop(f"{metric.key}_text"),
        "support": [quality.support for quality in qualities],
        **texts,
    }


def _text(quality: ClassQuality, metric: Metric) -> str:
    value: float | None = getattr(quality, metric.key)
    if value is not None:
        return f"{value * 100:.1f}"
    return "no images of it" if quality.support == 0 else "never predicted"


def _tooltip(metric: Metric) -> "list[alt.Tooltip]":
    shown = {"series": "model", "class": "class", "text": f"{metric.name} (%)"}
    shown |= {
        f"{other.key}_text": f"{other.name} (%)" for other in METRICS if other.key != metric.key
    }
    shown["support"] = "images of the class, all seeds"
    return tooltip(shown)
