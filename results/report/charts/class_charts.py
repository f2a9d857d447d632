"""Which classes are hard: F1, recall and precision of each, and which is taken for which."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from results.classes import CLASS_NAMES, ClassQuality, precision_recall_f1, sum_confusions
from results.report.charts import vega
from results.report.charts.theme import ACCENT, GRID, TEXT, ChartLayout
from results.report.charts.vega import ReportFigure, Specification, draw, names_of, unknown_for
from results.report.material import Material, Series

NUM_CLASSES = len(CLASS_NAMES)
BAR_HEIGHT = 12  # pixels: a number fits beside each bar
NARROW_WIDTH = 215  # class names to the left and numbers to the right take the rest of a phone
STRONGEST = 0.5  # opacity of a share of one: text stays legible on it, in light and in dark


class Counts(NamedTuple):
    """The confusion matrices of a series."""

    total: list[list[int]]  # of all runs together; row: true class, column: predicted class
    num_runs: int


def counts_of(series: Series) -> Counts | None:
    """The confusion of all runs of a series that ended well; None where none has recorded it."""
    matrices = [
        record.confusion
        for record in series.summary.finished
        if record.confusion is not None
        and [len(row) for row in record.confusion] == [NUM_CLASSES] * NUM_CLASSES
    ]
    total = sum_confusions(matrices)
    return None if total is None else Counts(total, len(matrices))


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
    found = [(one, counts) for one in material.finished if (counts := counts_of(one))]
    return [_class_figure(material, metric, found) for metric in METRICS] if found else []


def _class_figure(
    material: Material, metric: Metric, found: Sequence[tuple[Series, Counts]]
) -> ReportFigure:
    names = names_of([series for series, _ in found])
    name = f"{metric.name[0].upper()}{metric.name[1:]}"
    caption = (
        f"{name}: {metric.meaning}; over the images of all seeds of a model together. "
        "Longer is better."
    )
    caption += unknown_for("no confusion matrix", names_of(material.finished), names)
    return draw(
        f"classes-{metric.key}",
        f"{name} of each class",
        caption,
        lambda layout: _class_chart(metric, names, material.names, layout),
        rows=[_class_row(metric, series, counts) for series, counts in found],
    )


def _class_row(metric: Metric, series: Series, counts: Counts) -> dict[str, Any]:
    qualities = precision_recall_f1(counts.total)
    values = [getattr(quality, metric.key) for quality in qualities]
    return {
        "series": series.label,
        "class": list(CLASS_NAMES),
        "value": [None if value is None else round(value * 100, 3) for value in values],
        "support": [quality.support for quality in qualities],
    } | {each.key: [_percent(quality, each) for quality in qualities] for each in METRICS}


def _percent(quality: ClassQuality, metric: Metric) -> str:
    value: float | None = getattr(quality, metric.key)
    if value is not None:
        return f"{value * 100:.1f}"
    return "no images of it" if quality.support == 0 else "never predicted"


def _class_chart(
    metric: Metric, drawn: Sequence[str], names: Sequence[str], layout: ChartLayout
) -> Specification:
    layout = replace(layout, width=NARROW_WIDTH) if layout.is_narrow else layout
    by_series = vega.marked_series(drawn, names, layout)
    titles = {"series": "model", "class": "class"}
    titles |= {each.key: f"{each.name} (%)" for each in METRICS}
    titles |= {"support": "images of the class, all seeds"}
    axis = {"values": [0, 20, 40, 60, 80, 100], "grid": False}  # each bar has its number
    number = {"type": "text", "align": "left", "dx": 7, "fontSize": 10}
    return {
        "data": {"name": "rows"},
        "params": [vega.shown_parameter(drawn)],
        "transform": [
            vega.IF_SHOWN,
            {"flatten": ["class", "value", "support", *(each.key for each in METRICS)]},
            {"calculate": "isValid(datum.value) ? datum.value : 0", "as": "end"},
        ],
        "width": layout.width,
        # the chart grows with the series shown
        "height": {"step": BAR_HEIGHT, "for": "offset"},
        "encoding": {
            "x": vega.quantity(
                "end", f"{metric.name} (%)", (0, 100), scale={"padding": 0}, axis=axis
            ),
            "y": {
                "field": "class",
                "title": None,
                "sort": list(CLASS_NAMES),
                "scale": {"paddingInner": 0.25, "paddingOuter": 0.1},
            },
            "yOffset": {"field": "series", "sort": list(names), "scale": {"paddingInner": 0.1}},
        }
        | vega.tooltip(titles),
        "layer": [
            vega.layer({"type": "bar", "opacity": 0.55}, {"color": by_series["color"]}),
            vega.layer({"type": "point", "size": 45}, by_series, "isValid(datum.value)"),
            vega.layer(number, {"text": {"field": metric.key}}),
        ],
    }


def confusion_figures(material: Material) -> list[ReportFigure]:
    """The heatmap of the chosen series; none where no record holds a confusion matrix."""
    found = [(one, counts) for one in material.finished if (counts := counts_of(one))]
    if not found:
        return []
    caption = (
        "Each row is a true class, each column what the model took its images for: the number of "
        "images, as the mean over the runs (<1: not in every run). Right answers are "
        "framed. The stronger the colour, the larger the share of the row; it grows with the "
        "square root of the share, so that mistakes show."
    )
    notes = {}
    for series, counts in found:
        runs = "1 run" if counts.num_runs == 1 else f"mean of {counts.num_runs} runs"
        images = sum(map(sum, counts.total)) / counts.num_runs
        notes[series.label] = f"{runs}, {images:,.0f} images each"
    figure = draw(
        "confusion-matrix",
        "Which class is taken for which",
        caption,
        lambda layout: _confusion_chart(notes, layout),
        rows=[_confusion_row(series, counts) for series, counts in found],
    )
    return [figure]


def _confusion_row(series: Series, counts: Counts) -> dict[str, Any]:
    """The cells row by row."""
    cells = [(count, sum(row)) for row in counts.total for count in row]
    means = [count / counts.num_runs for count, _ in cells]
    return {
        "series": series.label,
        "cell": list(range(NUM_CLASSES**2)),
        "count": [count for count, _ in cells],
        "share": [round(count / total, 4) if total else 0 for count, total in cells],
        "text": ["<1" if 0 < mean < 1 else f"{mean:.0f}" for mean in means],
        "tip": [
            f"{count:,} of {total:,} ({count / total * 100:.1f} %)" if total else "no images of it"
            for count, total in cells
        ],
    }


def _confusion_chart(notes: dict[str, str], layout: ChartLayout) -> Specification:
    width, height = (230, 250) if layout.is_narrow else (600, 380)
    layout = replace(layout, width=width, height=height)
    angle = -90 if layout.is_narrow else -35
    opacity = {
        "field": "share",
        "type": "quantitative",
        "scale": {"type": "sqrt", "domain": [0, 1], "range": [0, STRONGEST]},
        "legend": None,
    }
    cell = {"type": "rect", "fill": ACCENT, "stroke": GRID, "strokeWidth": 0.5}
    count = {"type": "text", "fontSize": 10 if layout.is_narrow else 12}
    frame = {"type": "rect", "fill": "transparent", "stroke": TEXT, "strokeWidth": 1.5}
    titles = {"true": "true class", "predicted": "taken for", "tip": "images, all runs"}
    cells = {
        "transform": [
            vega.IF_CHOSEN,
            {"flatten": ["cell", "count", "share", "text", "tip"]},
            {"calculate": vega.CLASS_OF.format(f"floor(datum.cell / {NUM_CLASSES})"), "as": "true"},
            {"calculate": vega.CLASS_OF.format(f"datum.cell % {NUM_CLASSES}"), "as": "predicted"},
        ],
        "encoding": {
            "x": _classes("predicted", "taken for (predicted class)", angle),
            "y": _classes("true", "true class", 0),
        }
        | vega.tooltip(titles),
        "layer": [
            vega.layer(cell, {"fillOpacity": opacity}),
            vega.layer(frame, only="datum.true == datum.predicted"),
            vega.layer(count, {"text": {"field": "text"}}),
        ],
    }
    layers = [cells, vega.absence(list(notes), layout)]
    return vega.size_of(layout) | vega.note_of(notes) | {"data": {"name": "rows"}, "layer": layers}


def _classes(field: str, title: str, angle: int) -> Specification:
    axis = {"ticks": False, "domain": False, "labelPadding": 6, "labelAngle": angle}
    return {"field": field, "title": title, "sort": list(CLASS_NAMES), "axis": axis}
