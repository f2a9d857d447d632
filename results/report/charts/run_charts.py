"""One run as it trained, step by step, and how its model sees the images."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from results.classes import CLASS_NAMES
from results.report.charts import vega
from results.report.charts.theme import ACCENT, PAGE, ChartLayout, series_colour
from results.report.charts.vega import ReportFigure, Specification, draw
from results.report.material import Material, Series

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Values = dict[str, Any]
LOSS, ACCURACY = series_colour(1), ACCENT
SMOOTH_BINS = 150
STEP_BINS = 200
MAX_STEPS = 400  # up to here each step is drawn
MAX_POINTS = 500


class Bins(NamedTuple):
    """Stretches of equal length, but for one value; `middle` counts the first value as 1."""

    middle: list[float]
    low: list[float]
    mean: list[float]
    high: list[float]


def binned(values: "Array", most: int) -> Bins:
    """At most so many stretches of the values, (N,) finite with N at least 1, in order."""
    import numpy as np

    edges = np.linspace(0, len(values), min(most, len(values)) + 1).round().astype(int)
    starts, ends = edges[:-1], edges[1:]
    return Bins(
        ((starts + 1 + ends) / 2).tolist(),
        np.minimum.reduceat(values, starts).tolist(),
        (np.add.reduceat(values, starts) / (ends - starts)).tolist(),
        np.maximum.reduceat(values, starts).tolist(),
    )


def rounded(values: Iterable[float], digits: int) -> list[float]:
    """The values to so many significant digits, as short as JSON writes them."""
    return [float(f"{value:.{digits}g}") for value in values]


def run_figures(material: Material) -> list[ReportFigure]:
    """Loss and accuracy, the loss of each iteration, and the features of the chosen series."""
    figures = [
        _figure(
            material,
            "run-training",
            "Training loss and validation accuracy",
            f"Left axis: training loss, as the means of {SMOOTH_BINS} equal stretches of steps (of "
            "fewer steps, each). Right axis: validation accuracy; the dashed line marks where it "
            "was best. Of the first run that ended well.",
            training_values,
            _training_chart,
            margin=45,  # pixels: the axis to the right takes them
        ),
        _figure(
            material,
            "run-loss",
            "Training loss of each iteration",
            f"An iteration is one update of the weights. Of more than {MAX_STEPS} the line is the "
            f"mean of {STEP_BINS} stretches, and the band reaches from the lowest to the highest "
            "loss of each. Of the first run that ended well.",
            loss_values,
            _loss_chart,
        ),
        _figure(
            material,
            "run-features",
            "How the model sees the classes",
            "Each point is an evaluated image as the last layer sees it, flattened to the two "
            "directions in which the features vary most (their principal components). Classes "
            "that lie apart are easy to tell apart; a large symbol marks the median of its class.",
            feature_values,
            _feature_chart,
        ),
    ]
    return [figure for figure in figures if figure is not None]


def _figure(
    material: Material,
    key: str,
    title: str,
    caption: str,
    values_of: Callable[[Series], Values | None],
    chart: Callable[[ChartLayout], Specification],
    margin: int = 0,
) -> ReportFigure | None:
    """A figure of one series at a time, whose note stands over it; `margin` pixels narrower."""
    found = {one.label: values for one in material.finished if (values := values_of(one))}
    if not found:
        return None
    notes = {label: str(values.pop("note")) for label, values in found.items()}

    def whole(layout: ChartLayout) -> Specification:
        layout = replace(layout, width=layout.width - margin)
        drawn = {"data": {"name": "rows"}, "transform": [vega.IF_CHOSEN]} | vega.size_of(layout)
        layers = [chart(layout), vega.absence(list(found), layout)]
        return drawn | vega.note_of(notes) | {"layer": layers}

    rows = [{"series": label} | values for label, values in found.items()]
    return draw(key, title, caption, whole, rows=rows)


def training_values(series: Series) -> Values | None:
    """Smoothed loss and validation accuracy against epochs; None where one is unknown."""
    losses, curve = losses_of(series), _curve(series)
    if losses is None or not curve or series.shown is None:
        return None
    epochs, images = series.shown.value("epochs"), series.shown.value("images_seen")
    if not epochs or not images:
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
        "note": f"best: {best:.2f} % at epoch {best_at:.3g}",
    }


def loss_values(series: Series) -> Values | None:
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
    note = f"{len(losses):,} iterations"
    return {"step": rounded(bins.middle, 6), "low": low, "mean": mean, "high": high, "note": note}


def feature_values(series: Series) -> Values | None:
    """Some points and the median of each class; None where a run recorded none to draw."""
    points, labels = series.array("features_2d"), series.array("features_labels")
    share = series.array("features_share")
    if points is None or labels is None or share is None or not len(points) == len(labels) > 0:
        return None
    import numpy as np

    drawn = np.linspace(0, len(points) - 1, min(MAX_POINTS, len(points))).round().astype(int)
    classes = np.unique(labels)
    medians = np.array([np.median(points[labels == k], axis=0) for k in classes])
    x, y = np.concatenate([points[drawn], medians]).T.astype(float).tolist()
    first, second = (f"{part * 100:.3g} %" for part in share.tolist())
    return {
        "x": rounded(x, 3),
        "y": rounded(y, 3),
        "label": [*labels[drawn].tolist(), *classes.tolist()],
        "is_median": [False] * len(drawn) + [True] * len(classes),
        "note": f"of the variance: {first} across, {second} up",
    }


def losses_of(series: Series) -> "Array | None":
    """The loss of each step of the run that is drawn, without gaps; None where it is unknown."""
    losses = series.array("loss")
    return None if losses is None or not len(losses) else losses.astype("float64")


def _curve(series: Series) -> list[list[float]]:
    """The known points of the validation curve: seconds, fraction, images, accuracy."""
    stored, record = series.array("curve"), series.shown
    points = stored.tolist() if stored is not None else (record.curve if record else None) or []
    return [point for point in points if len(point) >= 4 and all(map(math.isfinite, point[2:4]))]


def _training_chart(layout: ChartLayout) -> Specification:
    def axis(field: str, title: str, side: str, colour: str) -> Specification:
        look = {"orient": side, "titleColor": colour, "labelColor": colour, "tickCount": 6}
        return {"y": vega.quantity(field, title, axis=look | {"grid": side == "left"})}

    def epochs(field: str) -> Specification:
        scale, look = {"zero": True, "padding": 0}, {"tickCount": 6, "grid": False}
        return {"x": vega.quantity(field, "epochs of training", scale=scale, axis=look)}

    loss = epochs("epoch") | axis("loss", "training loss (nats)", "left", LOSS)
    loss |= vega.tooltip({"epoch": "epoch", "loss": "training loss"}, "quantitative")
    accuracy = epochs("at") | axis("accuracy", "validation accuracy (%)", "right", ACCURACY)
    accuracy |= vega.tooltip({"at": "epoch", "accuracy": "validation accuracy (%)"}, "quantitative")
    line = {"type": "line", "strokeWidth": 2}
    points = [
        vega.layer(line | {"color": ACCURACY}, accuracy),
        vega.layer({"type": "point", "size": 50, "color": ACCURACY}, accuracy),
    ]
    best = vega.layer({"type": "rule", "strokeDash": [4, 3], "color": ACCURACY}, epochs("best_at"))
    return {
        "resolve": {"scale": {"y": "independent"}},
        "layer": [
            vega.layer(line | {"color": LOSS}, loss) | vega.flattened("epoch", "loss"),
            {"layer": points} | vega.flattened("at", "accuracy"),
            best | vega.flattened("best_at"),
        ],
    }


def _loss_chart(layout: ChartLayout) -> Specification:
    ticks = {"tickCount": 4 if layout.is_narrow else 8, "grid": False}
    steps = vega.quantity("step", "iteration (step)", scale={"padding": 0}, axis=ticks)
    y = vega.quantity("mean", "training loss (nats)", is_log=True)
    band = {"y": y | {"field": "low"}, "y2": {"field": "high"}}
    shown = {"step": "iteration", "low": "lowest", "mean": "mean", "high": "highest"}
    mean = {"y": y} | vega.tooltip(shown, "quantitative")
    return vega.flattened("step", "low", "mean", "high") | {
        "encoding": {"x": steps},
        "layer": [
            vega.layer({"type": "area", "opacity": 0.3, "color": LOSS}, band),
            vega.layer({"type": "line", "strokeWidth": 1.5, "color": LOSS}, mean),
        ],
    }


def _feature_chart(layout: ChartLayout) -> Specification:
    plain = {"tickCount": 5, "grid": False}
    by_class = vega.marked("class", CLASS_NAMES, vega.legend(CLASS_NAMES, layout))
    x, y = (
        vega.quantity(field, f"{order} component", axis=plain)
        for field, order in (("x", "first"), ("y", "second"))
    )
    point = {"type": "point", "size": 30, "opacity": 0.55}
    median = {"type": "point", "size": 190, "stroke": PAGE, "strokeWidth": 1.5}
    return {
        "transform": [
            {"flatten": ["x", "y", "label", "is_median"]},
            {"calculate": vega.CLASS_OF.format("datum.label"), "as": "class"},
        ],
        "encoding": {"x": x, "y": y} | by_class | vega.tooltip({"class": "true class"}),
        "layer": [
            vega.layer(point, only="!datum.is_median"),
            vega.layer(median, only="datum.is_median"),
        ],
    }
