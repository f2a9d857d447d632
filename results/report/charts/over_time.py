"""How fast it learns: validation accuracy over training time, and the time to reach a target."""

from collections.abc import Sequence
from typing import Any

from results.records.record import RunRecord
from results.render.columns import MISSED
from results.report.charts import vega
from results.report.charts.lanes import lanes, marks_down
from results.report.charts.theme import QUIET, ChartLayout
from results.report.charts.vega import (
    ReportFigure,
    Rows,
    Specification,
    draw,
    names_of,
    unknown_for,
)
from results.report.material import Material, Series
from results.rows.rows import TARGETS
from results.text import format_count, format_seconds

LEVELS = (10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 92, 94, 96, 98, 99)  # percent, ruled
LEAST_ERROR = 0.01  # points: on a logarithmic axis no error at all has no place
TIME = "training time (s)"


def time_figures(material: Material) -> list[ReportFigure]:
    """Accuracy over time, and the time to reach targets; none where no run has a curve."""
    rows = [row for series in material.finished if series.has_learnt for row in _rows(series)]
    return [*([_accuracy_figure(material, rows)] if rows else []), *target_figures(material)]


def _rows(series: Series) -> Rows:
    """The points of every seed's curve; of one of them, the main one, a full line is drawn."""
    runs = [run for run in series.summary.finished if _points(run)]
    main = series.shown if series.shown in runs else next(iter(runs), None)
    return [
        {
            "series": series.label,
            "run": f"{series.index} {run.spec['seed']} {run is main}",
            "main": run is main,
            "seconds": seconds,
            "error": max(LEAST_ERROR, 100 - accuracy * 100),
            "accuracy_text": f"{accuracy * 100:.2f} %",
            "time_text": format_seconds(seconds),
            "images_text": format_count(images),
            "share_text": f"{share * 100:.0f} %",
            "seed_text": str(run.spec["seed"]),
        }
        for run in runs
        for seconds, share, images, accuracy, *_ in _points(run)
    ]


def _points(run: RunRecord) -> list[list[float]]:
    """Those that a logarithmic axis can show."""
    return [point for point in run.curve or [] if point[0] and point[0] > 0]


def _accuracy_figure(material: Material, rows: Rows) -> ReportFigure:
    drawn = list(dict.fromkeys(row["series"] for row in rows))
    caption = (
        "Up and to the left is better. Both axes are logarithmic, the upright one in the errors "
        "that are left: from 80 to 90 % is as far as from 90 to 95 %."
    )
    if not all(row["main"] for row in rows):
        caption += " Faint lines: the other seeds."
    caption += unknown_for("at chance, or without a curve", names_of(material.finished), drawn)
    return draw(
        "time-accuracy",
        "Accuracy over training time",
        caption,
        lambda layout: _accuracy_chart(rows, material.names, drawn, layout),
        rows=rows,
    )


def _accuracy_chart(
    rows: Rows, names: list[str], drawn: list[str], layout: ChartLayout
) -> Specification:
    by_series = vega.marked_series(drawn, names, layout, ("color", "shape", "strokeDash"))
    colour, dash, shape = (by_series[channel] for channel in ("color", "strokeDash", "shape"))
    seconds = [row["seconds"] for row in rows]
    titles = {
        "series": "model",
        "accuracy_text": "validation accuracy",
        "time_text": "training time",
        "share_text": "of the budget",
        "images_text": "images seen",
        "seed_text": "seed",
    }
    told = vega.tooltip(titles)
    return vega.size_of(layout) | {
        "data": {"name": "rows"},
        "params": [vega.shown_parameter(drawn)],
        "transform": [vega.IF_SHOWN],
        "encoding": {
            "x": vega.quantity("seconds", TIME, seconds, is_log=True, axis={"grid": False}),
            "y": _falling_errors([row["error"] for row in rows]),
            "color": colour,
            "detail": {"field": "run"},
        },
        "layer": [
            vega.layer({"type": "line", "strokeWidth": 1, "opacity": 0.5}, only="!datum.main"),
            vega.layer({"type": "line", "strokeWidth": 2}, {"strokeDash": dash}, "datum.main"),
            vega.layer({"type": "point", "size": 45}, {"shape": shape} | told, "datum.main"),
        ],
    }


def _falling_errors(errors: Sequence[float]) -> Specification:
    """An axis of errors that says accuracies: the levels, or any where none of those is inside."""
    levels = [100 - level for level in LEVELS if min(errors) <= 100 - level <= max(errors)]
    axis: Specification = {"labelExpr": "format(100 - datum.value, '.4~g')"}
    axis |= {"values": levels, "labelOverlap": "greedy"} if len(levels) > 1 else {}
    y = vega.quantity("error", "validation accuracy (%)", errors, is_log=True, axis=axis)
    y["scale"]["reverse"] = True
    return y | {"title": "validation accuracy (%)"}


def target_figures(material: Material) -> list[ReportFigure]:
    """A figure, or none where no model reached any target."""
    series = sorted((one for one in material.finished if _times(one) is not None), key=_rank)
    if not any(reached(one) for one in series):
        return []
    caption = (
        "Further to the left is better: training time until the validation accuracy first was "
        "that high, as far as it was looked at; where several were reached at one look, the "
        "highest is seen. Those that reached most stand on top."
    )
    if any(one.row["n_seeds"] > 1 for one in series):
        caption += " Median over the seeds."
    caption += unknown_for("without a curve", names_of(material.finished), names_of(series))
    rows = [_target_row(one) for one in series]
    figure = draw(
        "time-targets",
        "Time to reach an accuracy",
        caption,
        lambda layout: _target_chart(rows, layout),
        rows=rows,
    )
    return [figure]


def _times(series: Series) -> dict[str, float | None] | None:
    times: dict[str, float | None] | None = series.row["time_to_target_s"]
    return times


def reached(series: Series) -> list[tuple[int, float]]:
    """The targets that a model reached, in percent, and the seconds to each."""
    times = _times(series) or {}
    found = [(round(float(target) * 100), times.get(target)) for target in TARGETS]
    return [(percent, seconds) for percent, seconds in found if seconds]


def missed(series: Series) -> int | None:
    """The lowest target that it did not reach, in percent; it reached none above that either.

    None where it reached all, or ended at one of its own and tried no higher one.
    """
    done = {percent for percent, _ in reached(series)}
    percents = [round(float(target) * 100) for target in TARGETS]
    lowest = next((percent for percent in percents if percent not in done), None)
    own = series.row["target"]
    return None if lowest is None or (own is not None and own * 100 < lowest) else lowest


def _rank(series: Series) -> tuple[int, float]:
    found = reached(series)
    return -len(found), found[-1][1] if found else 0.0


def _target_row(series: Series) -> dict[str, Any]:
    found, lowest = reached(series), missed(series)
    return {
        "series": series.label,
        "seconds": [seconds for _, seconds in found],
        "target": [f"{percent} %" for percent, _ in found],
        "time_text": [format_seconds(seconds) for _, seconds in found],
        "text": "" if lowest is None else f"{lowest} %: {MISSED}",
    }


def _target_chart(rows: Rows, layout: ChartLayout) -> Specification:
    down = marks_down(layout)
    targets = [f"{round(float(target) * 100)} %" for target in TARGETS]
    by_target = vega.marked("target", targets, vega.legend(targets, layout))
    seconds = [second for row in rows for second in row["seconds"]]
    grid = {"grid": not layout.is_narrow}  # it would cross the names
    x = {"x": vega.quantity("seconds", TIME, seconds, is_log=True, axis=grid)}
    facts = {"series": "model", "target": "validation accuracy", "time_text": "reached after"}
    line = {"type": "line", "strokeWidth": 1.5, "color": QUIET, "opacity": 0.6, "yOffset": down}
    layers = [
        vega.layer(line, x | {"detail": {"field": "series"}}),
        vega.layer({"type": "point", "yOffset": down}, x | by_target | vega.tooltip(facts)),
    ]
    each = vega.flattened("seconds", "target", "time_text")
    return lanes(rows, [{"layer": layers} | each], layout)
