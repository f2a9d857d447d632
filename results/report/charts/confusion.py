"""Which classes one model takes for which: its confusion matrix as a heatmap."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from results.classes import CLASS_NAMES, sum_confusions
from results.report.charts.figure import (
    CLASSES,
    IS_CHOSEN,
    ReportFigure,
    absence,
    chosen_parameter,
    classes_parameter,
    draw,
    names_of,
    tooltip,
)
from results.report.charts.theme import ChartLayout
from results.report.material import Material, Series

if TYPE_CHECKING:
    import altair as alt

    Chart = alt.TopLevelMixin

NUM_CLASSES = len(CLASS_NAMES)
STRONGEST = 0.5  # opacity of a share of one: text stays legible on it, in light and in dark


class Counts(NamedTuple):
    """The confusion matrices of a series.

    Attributes:
        total: Counts of all runs together; row: true class, column: predicted class.
        num_runs: How many runs.
    """

    total: list[list[int]]
    num_runs: int


def counts_of(series: Series) -> Counts | None:
    """The confusion of all runs of a series that ended well; None where none has recorded it."""
    matrices = [
        record.confusion
        for record in series.summary.finished
        if record.confusion is not None and _is_whole(record.confusion)
    ]
    total = sum_confusions(matrices)
    return None if total is None else Counts(total, len(matrices))


def confusion_figures(material: Material) -> list[ReportFigure]:
    """The heatmap of the chosen series; none where no record holds a confusion matrix."""
    found = [(series, counts) for series in material.finished if (counts := counts_of(series))]
    if not found:
        return []
    caption = (
        "Each row is a true class, each column what the model took its images for: the number of "
        "images, as the mean over the runs (<1: not in every run). Right answers are "
        "framed. The stronger the colour, the larger the share of the row; it grows with the "
        "square root of the share, so that mistakes show."
    )
    title = "Which class is taken for which"
    rows = [_value(series, counts) for series, counts in found]
    return [
        draw(
            "confusion-matrix",
            title,
            caption,
            lambda layout: _chart(found, layout),
            lambda layout: {"series": rows},
        )
    ]


def _is_whole(confusion: Sequence[Sequence[int]]) -> bool:
    return len(confusion) == NUM_CLASSES and all(len(row) == NUM_CLASSES for row in confusion)


def _chart(found: Sequence[tuple[Series, Counts]], layout: ChartLayout) -> "Chart":
    import altair as alt

    size = (230, 250) if layout.is_narrow else (600, 380)
    layout = replace(layout, width=size[0], height=size[1])
    base = alt.Chart(alt.NamedData("series"), width=layout.width, height=layout.height)
    base = base.transform_filter(IS_CHOSEN)
    base = base.transform_flatten(["cell", "count", "share", "text", "tip"]).transform_calculate(
        true=f"{CLASSES}[floor(datum.cell / {NUM_CLASSES})]",
        predicted=f"{CLASSES}[datum.cell % {NUM_CLASSES}]",
    )
    base = base.encode(x=_axis(alt.X, layout), y=_axis(alt.Y, layout), tooltip=_tooltip())
    opacity = alt.FillOpacity(
        "share:Q",
        scale=alt.Scale(type="sqrt", domain=[0, 1], range=[0, STRONGEST]),
        legend=None,
    )
    cells = base.mark_rect(fill="var(--accent)", stroke="var(--grid)", strokeWidth=0.5)
    right = base.transform_filter("datum.true == datum.predicted").mark_rect(
        fill="transparent", stroke="var(--text)", strokeWidth=1.5
    )
    text = base.mark_text(baseline="middle", fontSize=10 if layout.is_narrow else 12)
    names = names_of([series for series, _ in found])
    cells, text = cells.encode(fillOpacity=opacity), text.encode(text="text:N")
    layers = alt.layer(cells, right, text, absence(names, layout))
    notes = alt.param(name="notes", value={one.label: _note(counts) for one, counts in found})
    chosen = chosen_parameter(names[0])
    title = alt.Title(alt.expr(f"notes[{chosen.name}] || ''"), fontWeight="normal", fontSize=12)
    return layers.add_params(notes, classes_parameter(), chosen).properties(title=title)


def _axis(channel: Any, layout: ChartLayout) -> Any:  # noqa: ANN401 - alt.X or alt.Y
    import altair as alt

    is_below = channel is alt.X
    name = "predicted" if is_below else "true"
    angle = (-90 if layout.is_narrow else -35) if is_below else 0
    title = {"predicted": "taken for (predicted class)", "true": "true class"}[name]
    return channel(
        f"{name}:N",
        sort=list(CLASS_NAMES),
        title=title,
        axis=alt.Axis(ticks=False, domain=False, labelPadding=6, labelAngle=angle),
    )


def _value(series: Series, counts: Counts) -> dict[str, Any]:
    cells = [count for row in counts.total for count in row]
    totals = [sum(row) for row in counts.total for _ in row]
    return {
        "series": series.label,
        "cell": list(range(NUM_CLASSES**2)),  # row by row
        "count": cells,
        "share": [
            round(n / total, 4) if total else 0 for n, total in zip(cells, totals, strict=True)
        ],
        "text": [_text(count / counts.num_runs) for count in cells],
        "tip": [_tip(count, total) for count, total in zip(cells, totals, strict=True)],
    }


def _text(mean: float) -> str:
    return "<1" if 0 < mean < 1 else f"{mean:.0f}"


def _tip(count: int, total: int) -> str:
    return f"{count:,} of {total:,} ({count / total * 100:.1f} %)" if total else "no images of it"


def _note(counts: Counts) -> str:
    images = sum(map(sum, counts.total)) / counts.num_runs
    runs = "1 run" if counts.num_runs == 1 else f"mean of {counts.num_runs} runs"
    return f"{runs}, {images:,.0f} images each"


def _tooltip() -> "list[alt.Tooltip]":
    shown = {"true": "true class", "predicted": "taken for", "tip": "images, all runs"}
    return tooltip(shown)
