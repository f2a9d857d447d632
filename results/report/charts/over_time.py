"""How fast it learns: validation accuracy over training time, and the time to reach a target."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from results.records.record import RunRecord
from results.report.charts.figure import (
    DECIMALS,
    IS_SHOWN,
    ReportFigure,
    colour,
    dash,
    draw,
    names_of,
    readable,
    shape,
    shown_parameter,
    tooltip,
    unknown_for,
)
from results.report.charts.placement import Place, along, place_labels, spread
from results.report.charts.scales import Scale, log_scale, num_ticks, with_room
from results.report.charts.targets import target_figures
from results.report.charts.theme import CHARACTER_WIDTH, ChartLayout
from results.report.material import Material, Series
from results.text import format_count, format_seconds, short_names

if TYPE_CHECKING:
    import altair as alt

LEVELS = (10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 92, 94, 96, 98, 99)  # percent, ruled
LEAST_ERROR = 0.01  # points: on a logarithmic axis no error at all has no place
LEFT_OF_LABEL = 12.0  # pixels between the end of a line and its label
ROOM = 20.0  # pixels that a label takes beside its text
NEAR_EDGE = 12.0  # pixels: lines that end so near the last one end together
FAR = 22.0  # pixels: a label that far from its line gets a leader


class Line(NamedTuple):
    """One run as a line.

    Attributes:
        series: To which it belongs.
        seed: Of the run.
        points: (seconds, share of the budget, images, accuracy as a fraction).
        is_main: Whether it is the run that is drawn in full and has the label.
    """

    series: Series
    seed: int
    points: Sequence[Sequence[float]]
    is_main: bool


def time_figures(material: Material) -> list[ReportFigure]:
    """Accuracy over time, and the time to reach targets; none where no run has a curve."""
    lines = _lines(material)
    return [*([_figure(material, lines)] if lines else []), *target_figures(material)]


def _lines(material: Material) -> list[Line]:
    found = []
    for series in material.finished:
        runs = [run for run in series.summary.finished if series.has_learnt and _points(run)]
        main = series.shown if series.shown in runs else next(iter(runs), None)
        found += [Line(series, run.spec["seed"], _points(run), run is main) for run in runs]
    return found


def _points(run: RunRecord) -> list[list[float]]:
    """Those that a logarithmic axis can show."""
    return [point for point in run.curve or [] if point[0] and point[0] > 0]


def _figure(material: Material, lines: Sequence[Line]) -> ReportFigure:
    drawn = list(dict.fromkeys(line.series.label for line in lines))
    caption = (
        "Up and to the left is better. Both axes are logarithmic, the upright one in the errors "
        "that are left: from 80 to 90 % is as far as from 90 to 95 %."
    )
    if not all(line.is_main for line in lines):
        caption += " Faint lines: the other seeds."
    caption += unknown_for("at chance, or without a curve", names_of(material.finished), drawn)
    return draw(
        "time-accuracy",
        "Accuracy over training time",
        caption,
        lambda layout: _chart(lines, material.names, drawn, layout),
    )


def _chart(
    lines: Sequence[Line], names: list[str], drawn: list[str], layout: ChartLayout
) -> "alt.TopLevelMixin":
    import altair as alt

    scales = _scales(lines, layout)
    x, y = _axes(lines, scales, layout)
    values = [value for line in lines for value in _values(line)]
    base = alt.Chart(alt.Data(values=values), width=layout.width, height=layout.height)
    base = base.transform_filter(IS_SHOWN).encode(x=x, y=y, color=colour(names))
    others = base.transform_filter("!datum.main").mark_line(strokeWidth=1, opacity=0.35)
    main = base.transform_filter("datum.main")
    curves = main.mark_line(strokeWidth=2).encode(strokeDash=dash(names))
    points = main.mark_point(size=40, filled=True, opacity=1)
    runs = alt.layer(  # layers of their own write their values once, not once a mark
        others.encode(detail="run:N"),
        curves.encode(detail="run:N"),
        points.encode(shape=shape(names), tooltip=_tooltip()),
    )
    labels = alt.layer(*_labels(lines, scales, names, layout, (x, y)))
    return alt.layer(runs, labels).add_params(shown_parameter(drawn))


def _scales(lines: Sequence[Line], layout: ChartLayout) -> tuple[Scale, Scale]:
    """Seconds, with room for the labels; and errors in percent, which fall from the top down."""
    errors = [_error(point) for line in lines for point in line.points]
    texts = [
        (line.points[-1][0], len(label) * CHARACTER_WIDTH + ROOM)
        for line, label in _labelled(lines, layout)
    ]
    return with_room(_seconds(lines), texts, layout.width), log_scale(errors)


def _seconds(lines: Sequence[Line]) -> Scale:
    return log_scale([point[0] for line in lines for point in line.points])


def _error(point: Sequence[float]) -> float:
    return max(LEAST_ERROR, 100 - point[3] * 100)


def _labelled(lines: Sequence[Line], layout: ChartLayout) -> list[tuple[Line, str]]:
    """The lines that are drawn in full, and what stands at their ends."""
    main = [line for line in lines if line.is_main]
    labels = short_names([line.series.label for line in main], layout.label_characters)
    return [(line, labels[line.series.label]) for line in main]


def _axes(
    lines: Sequence[Line], scales: tuple[Scale, Scale], layout: ChartLayout
) -> "tuple[alt.X, alt.Y]":
    import altair as alt

    seconds, errors = scales
    ruled = _seconds(lines)
    x = alt.X(
        "seconds:Q",
        title="training time (s), log scale",
        scale=alt.Scale(type="log", domain=[seconds.low, seconds.high], nice=False),
        axis=alt.Axis(
            values=ruled.ticks(num_ticks(seconds, ruled, layout.width)),
            labelExpr=DECIMALS,
            grid=False,
        ),
    )
    y = alt.Y(
        "error:Q",
        title="validation accuracy (%)",
        scale=alt.Scale(type="log", domain=[errors.high, errors.low], nice=False),
        axis=alt.Axis(
            values=[100 - level for level in _levels(errors)],
            labelExpr="format(100 - datum.value, '.4~g')",
            labelOverlap="greedy",
        ),
    )
    return x, y


def _levels(errors: Scale) -> list[float]:
    """The accuracies to rule: the targets and what lies below them, or any where none is inside."""
    inside = [float(level) for level in LEVELS if errors.low <= 100 - level <= errors.high]
    return inside if len(inside) > 1 else [100 - error for error in errors.ticks()]


def _values(line: Line) -> list[dict[str, Any]]:
    return [
        {
            "series": line.series.label,
            "run": f"{line.series.index} {line.seed} {line.is_main}",
            "main": line.is_main,
            "seconds": point[0],
            "error": _error(point),
            "accuracy_text": f"{point[3] * 100:.2f} %",
            "time_text": format_seconds(point[0]),
            "images_text": format_count(point[2]),
            "share_text": f"{point[1] * 100:.0f} %",
            "seed_text": str(line.seed),
        }
        for point in line.points
    ]


def _tooltip() -> "list[alt.Tooltip]":
    shown = {
        "series": "model",
        "accuracy_text": "validation accuracy",
        "time_text": "training time",
        "share_text": "of the budget",
        "images_text": "images seen",
        "seed_text": "seed",
    }
    return tooltip(shown)


def _labels(
    lines: Sequence[Line],
    scales: tuple[Scale, Scale],
    names: list[str],
    layout: ChartLayout,
    axes: "tuple[alt.X, alt.Y]",
) -> "list[alt.Chart]":
    """The name at the end of each line, with a leader where it had to move away."""
    import altair as alt

    values = label_values(lines, scales, layout)
    base = alt.Chart(alt.Data(values=values), width=layout.width, height=layout.height)
    x, y = axes
    base = base.transform_filter(IS_SHOWN).encode(x=x, y=y)
    leader = base.transform_filter("datum.moved").mark_rule(
        opacity=0.6, x2Offset=alt.expr("datum.to_dx"), y2Offset=alt.expr("datum.dy")
    )
    leader = leader.encode(x2="seconds:Q", y2="error:Q", color=colour(names))
    style = {"align": "align", "dx": "dx", "dy": "dy"}
    place: dict[str, Any] = {key: alt.expr(f"datum.{name}") for key, name in style.items()}
    return [leader, *readable(base, {"text": "label:N"}, **place)]


def label_values(
    lines: Sequence[Line], scales: tuple[Scale, Scale], layout: ChartLayout
) -> list[dict[str, Any]]:
    """Where each line ends, and where its label stands, in pixels from there."""
    main, texts = zip(*_labelled(lines, layout), strict=True)
    paths = [[_spot(point, scales, layout) for point in line.points] for line in main]
    places = _column(paths, layout) if _end_together(paths) else _places(paths, texts, layout)
    return [
        {
            "series": line.series.label,
            "label": text,
            "seconds": line.points[-1][0],
            "error": _error(line.points[-1]),
            **place,
            "to_dx": place["dx"] - math.copysign(3.0, place["dx"]),
            "moved": math.hypot(place["dx"], place["dy"]) > FAR,
        }
        for line, text, place in zip(main, texts, places, strict=True)
    ]


def _spot(
    point: Sequence[float], scales: tuple[Scale, Scale], layout: ChartLayout
) -> tuple[float, float]:
    seconds, errors = scales
    # fewer errors stand higher, and pixels count from the top
    return seconds.pixel(point[0], layout.width), errors.pixel(_error(point), layout.height)


def _end_together(paths: Sequence[Sequence[tuple[float, float]]]) -> bool:
    ends = [path[-1][0] for path in paths]
    return max(ends) - min(ends) < NEAR_EDGE


def _column(
    paths: Sequence[Sequence[tuple[float, float]]], layout: ChartLayout
) -> list[dict[str, Any]]:
    """Labels below each other, right of where all lines end."""
    edge = max(path[-1][0] for path in paths)
    heights = spread([path[-1][1] for path in paths], 0.0, layout.height)
    return [
        {"dx": edge + LEFT_OF_LABEL - path[-1][0], "dy": height - path[-1][1], "align": "left"}
        for path, height in zip(paths, heights, strict=True)
    ]


def _places(
    paths: Sequence[Sequence[tuple[float, float]]], texts: Sequence[str], layout: ChartLayout
) -> list[dict[str, Any]]:
    """Labels around the ends, clear of the lines; their text begins at the side of the end."""
    obstacles = [spot for path in paths for spot in along(path)]
    places = place_labels([path[-1] for path in paths], texts, layout, obstacles)
    return [_aligned(place, text) for place, text in zip(places, texts, strict=True)]


def _aligned(place: Place, text: str) -> dict[str, Any]:
    half = len(text) * CHARACTER_WIDTH / 2
    if place.dx == 0:
        return {"dx": 0.0, "dy": place.dy, "align": "center"}
    near = place.dx - math.copysign(half, place.dx)
    return {"dx": near, "dy": place.dy, "align": "left" if place.dx > 0 else "right"}
