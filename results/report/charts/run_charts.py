"""One run as it trained: loss and accuracy by epoch, and the loss of each iteration."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from results.report.charts.figure import (
    CHOSEN,
    IS_CHOSEN,
    ReportFigure,
    absence,
    chosen_parameter,
    draw,
    names_of,
    tooltip,
)
from results.report.charts.scales import linear_scale, log_scale
from results.report.charts.theme import ChartLayout
from results.report.charts.thinning import binned, finite_or_none, rounded
from results.report.material import Material, Series

if TYPE_CHECKING:
    import altair as alt
    import numpy as np

    Layers = alt.LayerChart | alt.FacetChart  # the second in types only

Values = dict[str, Any]
LOSS, ACCURACY = "var(--series-2)", "var(--accent)"
AXES = "axes"  # the parameter that holds what the axes of each series need
SMOOTH_BINS = 150
STEP_BINS = 200
MAX_STEPS = 400  # up to here each step is drawn
LABEL_WIDTH = 150  # pixels that the label of the best point takes to either side, at most


def run_figures(material: Material) -> list[ReportFigure]:
    """Loss and accuracy, and the loss of each iteration, of the chosen series."""
    found = [_training_figure(material), _loss_figure(material)]
    return [figure for figure in found if figure is not None]


def _training_figure(material: Material) -> ReportFigure | None:
    return _figure(
        "run-training",
        "Training loss and validation accuracy",
        f"Left axis: training loss, as the means of {SMOOTH_BINS} equal stretches of steps (of "
        "fewer steps, each). Right axis: validation accuracy; the dashed line marks where it was "
        "best. Of the first run that ended well.",
        [(series, values) for series in material.finished if (values := _training(series))],
        _training_chart,
    )


def _loss_figure(material: Material) -> ReportFigure | None:
    return _figure(
        "run-loss",
        "Training loss of each iteration",
        f"An iteration is one update of the weights. Of more than {MAX_STEPS} the line is the mean "
        f"of {STEP_BINS} stretches, and the band reaches from the lowest to the highest loss of "
        "each. Of the first run that ended well.",
        [(series, values) for series in material.finished if (values := _losses(series))],
        _loss_chart,
    )


def _figure(
    key: str,
    title: str,
    caption: str,
    found: Sequence[tuple[Series, Values]],
    chart: Callable[[Sequence[str], ChartLayout], "Layers"],
) -> ReportFigure | None:
    if not found:
        return None
    names = names_of([series for series, _ in found])
    rows = [{"series": series.label, **values} for series, values in found]
    return draw(
        key,
        title,
        caption,
        lambda layout: chart(names, layout).add_params(_axes(rows), chosen_parameter(names[0])),
        lambda layout: {"series": rows},
    )


def _axes(rows: Sequence[Values]) -> "alt.Parameter":
    import altair as alt

    return alt.param(name=AXES, value={row["series"]: row["axis"] for row in rows})


def _training(series: Series) -> Values | None:
    """Smoothed loss and validation accuracy against epochs; None where one is unknown."""
    losses, curve = losses_of(series), _curve(series)
    epochs, images = (_value(series, key) for key in ("epochs", "images_seen"))
    if losses is None or not curve or not epochs or not images:
        return None
    bins = binned(losses, SMOOTH_BINS)
    points = [(point[2] / images * epochs, point[3] * 100) for point in curve]
    best_at, best = max(points, key=lambda point: point[1])
    return {
        "epoch": rounded([middle / len(losses) * epochs for middle in bins.middle], 5),
        "loss": rounded(bins.mean, 4),
        "at": rounded([at for at, _ in points], 5),
        "accuracy": rounded([accuracy for _, accuracy in points], 5),
        "best_at": rounded([best_at], 5),
        "best": f"best: {best:.2f} % at epoch {best_at:.3g}",
        "axis": _ends(bins.mean, [accuracy for _, accuracy in points], epochs),
    }


def _ends(losses: Sequence[float], accuracies: Sequence[float], epochs: float) -> list[float]:
    """Low and high ends of both axes, and the last epoch."""
    left = linear_scale(losses, least=0.0)
    right = linear_scale(accuracies, least=0.0, most=100.0)
    return rounded([left.low, left.high, right.low, right.high, epochs], 5)


def _losses(series: Series) -> Values | None:
    """Lowest, mean and highest loss of stretches of steps; each step where they are few."""
    losses = losses_of(series)
    if losses is None:
        return None
    smallest = min((loss for loss in losses.tolist() if loss > 0), default=None)
    if smallest is None:  # no logarithm at all
        return None
    bins = binned(losses, len(losses) if len(losses) <= MAX_STEPS else STEP_BINS)
    low, mean, high = (
        rounded([max(value, smallest) for value in values], 4)
        for values in (bins.low, bins.mean, bins.high)
    )
    scale = log_scale([*low, *high])
    return {
        "step": rounded(bins.middle, 6),
        "low": low,
        "mean": mean,
        "high": high,
        "axis": rounded([scale.low, scale.high, *scale.ticks(6)], 4),
    }


def losses_of(series: Series) -> "np.ndarray[Any, Any] | None":
    """The loss of each step of the run that is drawn, without gaps; None where it is unknown."""
    losses = series.array("loss")
    return None if losses is None or not len(losses) else losses.astype("float64")


def _curve(series: Series) -> list[list[float]]:
    """The points of the validation curve: seconds, fraction, images, accuracy."""
    stored = series.array("curve")
    record = series.shown
    points = stored.tolist() if stored is not None else (record.curve if record else None) or []
    return [
        point for point in points if len(point) >= 4 and None not in map(finite_or_none, point[2:4])
    ]


def _value(series: Series, quantity: str) -> float | None:
    return series.shown.value(quantity) if series.shown else None


def _training_chart(names: Sequence[str], layout: ChartLayout) -> "Layers":
    import altair as alt

    layout = replace(layout, width=layout.width - 45)  # room for the axis to the right
    base = alt.Chart(alt.NamedData("series"), width=layout.width, height=layout.height)
    base = base.transform_filter(IS_CHOSEN)
    curve = base.transform_flatten(["at", "accuracy"]).encode(
        x=_epochs("at"), y=_coloured("accuracy", "validation accuracy (%)", "right")
    )
    loss = base.transform_flatten(["epoch", "loss"]).mark_line(strokeWidth=2, color=LOSS)
    loss = loss.encode(
        x=_epochs("epoch"),
        y=_coloured("loss", "training loss (nats)", "left"),
        tooltip=tooltip({"epoch": "epoch", "loss": "training loss"}, "Q"),
    )
    line = curve.mark_line(strokeWidth=2, color=ACCURACY)
    points = curve.mark_point(size=50, color=ACCURACY, opacity=1).encode(
        tooltip=tooltip({"at": "epoch", "accuracy": "validation accuracy (%)"}, "Q")
    )
    accuracy = alt.layer(line, points)
    missing = absence(names, layout)
    layers = alt.layer(loss, accuracy, *_best(base, layout), missing)
    independent: Layers = layers.resolve_scale(y="independent")
    return independent


def _best(base: "alt.Chart", layout: ChartLayout) -> "list[alt.Chart]":
    """A line where validation was best, and what it was, above the plot area."""
    import altair as alt

    best = base.transform_flatten(["best_at"])
    rule = best.mark_rule(strokeDash=[4, 3], strokeWidth=1.5, color=ACCURACY)
    # the label leans to the side where there is room for it
    near = f"datum.best_at / datum.axis[4] * {layout.width}"
    lean = f"{near} < {LABEL_WIDTH} ? 'left' : {near} > {layout.width - LABEL_WIDTH} ? 'right'"
    text = best.mark_text(
        align=alt.expr(f"{lean} : 'center'"), baseline="bottom", y=-5, color=ACCURACY
    )
    return [rule.encode(x=_epochs("best_at")), text.encode(x=_epochs("best_at"), text="best:N")]


def _epochs(field: str) -> "alt.X":
    import altair as alt

    return alt.X(
        f"{field}:Q",
        title="epochs of training",
        scale=alt.Scale(domainMin=0, domainMax=_end(4), nice=False),
        axis=alt.Axis(tickCount=6, format="~r", grid=False),
    )


def _coloured(field: str, title: str, side: str) -> "alt.Y":
    """An axis in the colour of its line."""
    import altair as alt

    colour, first = (LOSS, 0) if side == "left" else (ACCURACY, 2)
    return alt.Y(
        f"{field}:Q",
        title=title,
        scale=alt.Scale(zero=False, nice=False, domainMin=_end(first), domainMax=_end(first + 1)),
        axis=alt.Axis(
            orient=side,  # type: ignore[arg-type]
            titleColor=colour,
            labelColor=colour,
            format="~r",
            grid=side == "left",
            tickCount=6,
        ),
    )


def _end(index: int) -> "alt.ExprRef":
    import altair as alt

    return alt.expr(f"({AXES}[{CHOSEN}] || [0, 1, 0, 1, 1])[{index}]")


def _loss_chart(names: Sequence[str], layout: ChartLayout) -> "Layers":
    import altair as alt

    base = alt.Chart(alt.NamedData("series"), width=layout.width, height=layout.height)
    base = base.transform_filter(IS_CHOSEN).transform_flatten(["step", "low", "mean", "high"])
    base = base.encode(
        x=alt.X(
            "step:Q",
            title="iteration (step)",
            scale=alt.Scale(nice=False, zero=False),
            axis=alt.Axis(tickCount=4 if layout.is_narrow else 8, format=",d", grid=False),
        )
    )
    band = base.mark_area(opacity=0.3, color=LOSS).encode(y=_log_loss("low"), y2="high:Q")
    shown = {"step": "iteration", "low": "lowest", "mean": "mean", "high": "highest"}
    line = base.mark_line(strokeWidth=1.5, color=LOSS)
    line = line.encode(y=_log_loss("mean"), tooltip=tooltip(shown, "Q"))
    missing = absence(names, layout)
    return alt.layer(band, line, missing)


def _log_loss(field: str) -> "alt.Y":
    """The axis of the chosen series: its ends and ticks lie in a parameter of their own."""
    import altair as alt

    axis = f"({AXES}[{CHOSEN}] || [0.1, 1])"
    return alt.Y(
        f"{field}:Q",
        title="training loss (nats, log scale)",
        scale=alt.Scale(
            type="log",
            nice=False,
            domainMin=alt.expr(f"{axis}[0]"),
            domainMax=alt.expr(f"{axis}[1]"),
        ),
        axis=alt.Axis(format="~r", values=alt.expr(f"slice({axis}, 2)")),
    )
