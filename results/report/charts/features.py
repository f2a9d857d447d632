"""How one model sees the images: its last features in the plane, coloured by class."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from results.classes import CLASS_NAMES
from results.report.charts.figure import (
    CHOSEN,
    CLASSES,
    IS_CHOSEN,
    ReportFigure,
    Rows,
    absence,
    chosen_parameter,
    classes_parameter,
    draw,
)
from results.report.charts.placement import place_labels
from results.report.charts.scales import Scale, linear_scale
from results.report.charts.theme import LAYOUTS, ChartLayout, series_colours, series_shapes
from results.report.charts.thinning import rounded
from results.report.material import Material, Series

if TYPE_CHECKING:
    import altair as alt
    import numpy as np

    Chart = alt.TopLevelMixin
    Array = np.ndarray[Any, Any]

MAX_POINTS = 500
AXES = "axes"  # the parameter that holds ends and titles of the axes of each series
AXIS = f"({AXES}[{CHOSEN}] || [0, 1, 0, 1, '', ''])"
ORDER = ("first", "second")


def feature_figures(material: Material) -> list[ReportFigure]:
    """The features of the chosen series in the plane; none where no run recorded any."""
    found = [series for series in material.finished if has_features(series)]
    if not found:
        return []
    caption = (
        "Each point is an evaluated image as the last layer sees it, flattened to the two "
        "directions in which the features vary most (their principal components). Classes that "
        "lie apart are easy to tell apart; a large symbol marks the median of its class."
    )
    title = "How the model sees the classes"
    parts = {
        layout.name: [
            _FeatureMap(series, replace(layout, height=layout.height + 60)) for series in found
        ]
        for layout in LAYOUTS
    }
    return [
        draw(
            "run-features",
            title,
            caption,
            lambda layout: _chart(parts[layout.name]),
            lambda layout: _data(parts[layout.name]),
        )
    ]


def has_features(series: Series) -> bool:
    """Whether its run recorded features that can be drawn."""
    points, labels = series.array("features_2d"), series.array("features_labels")
    if points is None or labels is None or series.array("features_share") is None:
        return False
    return len(points) == len(labels) > 0


def _data(parts: "Sequence[_FeatureMap]") -> dict[str, Rows]:
    return {
        "series": [{"series": part.label, **part.points()} for part in parts],
        "medians": [{"series": part.label, **part.names()} for part in parts],
    }


def _chart(parts: "Sequence[_FeatureMap]") -> "Chart":
    import altair as alt

    layout, labels = parts[0].layout, [part.label for part in parts]
    marks = {**_class_marks(), "tooltip": [alt.Tooltip("class:N", title="true class")]}
    cloud = _base("series", layout, ["x", "y", "label"]).mark_point(size=30, opacity=0.55)
    medians = _base("medians", layout, ["x", "y", "label", "dx", "dy"])
    large = medians.mark_point(size=170, opacity=1, stroke="var(--page)", strokeWidth=1.5)
    halo, text = _names(medians)
    layers = alt.layer(cloud.encode(**marks), halo, large.encode(**marks), text, *_titles(layout))
    layers += absence(labels, layout)
    axes = alt.param(name=AXES, value={part.label: part.axes() for part in parts})
    return layers.add_params(axes, classes_parameter(), chosen_parameter(labels[0]))


class _FeatureMap:
    """What the chart shows of one series, in one layout."""

    def __init__(self, series: Series, layout: ChartLayout) -> None:
        import numpy as np

        self.label, self.layout = series.label, layout
        points, labels = series.samples["features_2d"], series.samples["features_labels"]
        drawn = np.linspace(0, len(points) - 1, min(MAX_POINTS, len(points))).round().astype(int)
        self.drawn, self.drawn_labels = points[drawn].astype(float), labels[drawn]
        self.share = series.samples["features_share"].tolist()
        self.classes = [k for k in range(len(CLASS_NAMES)) if (labels == k).any()]
        self.medians = np.array([np.median(points[labels == k], axis=0) for k in self.classes])
        columns = np.concatenate([self.drawn, self.medians]).T.tolist()
        self.scales: list[Scale] = [linear_scale(column) for column in columns]

    def points(self) -> dict[str, Any]:
        """Coordinates to three digits of the axes' length, and the class."""
        x, y = (self._short(column) for column in self.drawn.T.tolist())
        return {"x": x, "y": y, "label": self.drawn_labels.tolist()}

    def names(self) -> dict[str, Any]:
        """The medians of the classes, and where their names stand."""
        x_scale, y_scale = self.scales
        width, height = self.layout.width, self.layout.height
        spots = [
            (x_scale.pixel(x, width), height - y_scale.pixel(y, height))
            for x, y in self.medians.tolist()
        ]
        names = [CLASS_NAMES[k] for k in self.classes]
        places = place_labels(spots, names, self.layout)
        x, y = (self._short(column) for column in self.medians.T.tolist())
        dx, dy = ([round(move, 1) for move in moves] for moves in zip(*places, strict=True))
        return {"x": x, "y": y, "label": self.classes, "dx": dx, "dy": dy}

    def axes(self) -> list[Any]:
        """Low and high end of both axes, then their titles."""
        ends = [end for scale in self.scales for end in (scale.low, scale.high)]
        titles = [
            f"{order} component ({share * 100:.3g} % of the variance)"
            for order, share in zip(ORDER, self.share, strict=True)
        ]
        return [*rounded(ends, 6), *titles]

    def _short(self, values: Sequence[float]) -> list[float]:
        return rounded(values, 3)


def _base(data: str, layout: ChartLayout, fields: Sequence[str]) -> "alt.Chart":
    import altair as alt

    base = alt.Chart(alt.NamedData(data), width=layout.width, height=layout.height)
    base = base.transform_filter(IS_CHOSEN).transform_flatten([*fields])
    base = base.transform_calculate(**{"class": f"{CLASSES}[datum.label]"})
    return base.encode(x=_axis(alt.X, "x", 0), y=_axis(alt.Y, "y", 2))


def _axis(channel: Any, field: str, first: int) -> Any:  # noqa: ANN401 - alt.X or alt.Y
    import altair as alt

    scale = alt.Scale(
        nice=False,
        zero=False,
        domainMin=alt.expr(f"{AXIS}[{first}]"),
        domainMax=alt.expr(f"{AXIS}[{first + 1}]"),
    )
    return channel(
        f"{field}:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5, format="~r", grid=False)
    )


def _names(medians: "alt.Chart") -> "tuple[alt.Chart, alt.Chart]":
    """The names of the classes, and a rim that keeps them legible over the points."""
    import altair as alt

    base = medians.encode(text="class:N")
    look: dict[str, Any] = {"fontWeight": "bold", "baseline": "middle"}
    look |= {"dx": alt.expr("datum.dx"), "dy": alt.expr("datum.dy")}
    rim = base.mark_text(**look, stroke="var(--page)", strokeWidth=4, strokeJoin="round")
    return rim, base.mark_text(**look)


def _class_marks() -> dict[str, Any]:
    import altair as alt

    names, count = list(CLASS_NAMES), len(CLASS_NAMES)
    colours = alt.Scale(domain=names, range=series_colours(count))
    shapes = alt.Scale(domain=names, range=series_shapes(count))
    return {
        "color": alt.Color("class:N", scale=colours, legend=None),
        "shape": alt.Shape("class:N", scale=shapes, legend=None),
    }


def _titles(layout: ChartLayout) -> "list[alt.Chart]":
    """Titles of the axes, which an axis cannot take from a parameter."""
    import altair as alt

    base = alt.Chart(alt.Data(values=[{}]))
    places = ((layout.width / 2, layout.height + 36, 0), (-52, layout.height / 2, -90))
    return [
        base.mark_text(x=x, y=y, angle=angle % 360).encode(
            text=alt.value(alt.expr(f"{AXIS}[{4 + k}]"))
        )
        for k, (x, y, angle) in enumerate(places)
    ]
