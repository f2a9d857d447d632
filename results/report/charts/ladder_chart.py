"""Ladders as charts: how much faster each rung is than the first, a figure for each model."""

from collections.abc import Sequence
from typing import Any

from results.ladder.rows import AUTO_RUNG, group_ladders, ladder_rows
from results.ladder.table import best_marks
from results.records.record import RunRecord
from results.report.charts.lanes import Bar, bars, needs_log
from results.report.charts.theme import ACCENT, series_colour
from results.report.charts.vega import ReportFigure, draw
from results.report.material import Material, chart_name
from results.text import cut, format_count, format_ratio, format_seconds, one_line

Row = dict[str, Any]
GREY = series_colour(5)
MOST_FOR_BARS = 10.0  # times the first rung
TIMES = "\N{MULTIPLICATION SIGN}"
FAILURE_CHARACTERS = 44  # what fits beside the name of a rung, on a phone


def ladder_figures(material: Material) -> list[ReportFigure]:
    """A figure for each ladder of which a rung has numbers."""
    ladders = group_ladders(material.rungs)
    measured = [rows for rows in map(_rows, ladders) if any(map(_has_ratio, rows))]
    titles = _titles(measured)
    return [
        _figure(f"ladder-{number}", title, rows)
        for number, (title, rows) in enumerate(zip(titles, measured, strict=True), start=1)
    ]


def _rows(ladder: Sequence[RunRecord]) -> list[Row]:
    """The rows, each with whether its plan is compiled: others spend nothing worth a word."""
    rows = ladder_rows(ladder)
    return [
        row | {"is_compiled": bool(rung.spec.get("is_compiled"))}
        for row, rung in zip(rows, ladder, strict=True)
    ]


def _has_ratio(row: Row) -> bool:
    return row["ratio"] is not None


def _titles(ladders: Sequence[Sequence[Row]]) -> list[str]:
    """The model of each; where it climbed several ladders, what tells those apart."""
    models = [str(rows[0]["model"]) for rows in ladders]
    titles = []
    for number, (model, rows) in enumerate(zip(models, ladders, strict=True)):
        place = models[: number + 1].count(model)
        which = f" #{place} ({rows[0]['recipe']}, {rows[0]['budget']})"
        titles.append(one_line(model + (which if models.count(model) > 1 else "")))
    return titles


def _figure(key: str, title: str, rows: Sequence[Row]) -> ReportFigure:
    marks = best_marks(rows)
    first = next(filter(_has_ratio, rows))["rung"]
    # the first rung stands at the bottom: a ladder is climbed
    lines = [_bar(row, is_best=mark) for row, mark in zip(rows, marks, strict=True)][::-1]
    ratios = [row["ratio"] for row in rows if _has_ratio(row)]
    is_log = needs_log([*ratios, 1.0], MOST_FOR_BARS)
    caption = (
        f"Training throughput as a multiple of that of the lowest rung, {one_line(first)}: "
        "further to the right is faster; the fastest is bold."
    )
    if any(line.interval for line in lines):
        caption += " Thin lines: 95 % interval of the median over the rounds."
    if any(line.note for line in lines):
        caption += " Compilation is not on the training clock: its seconds stand by themselves."
    if any(row["rung"] == AUTO_RUNG for row in rows):
        caption += " auto only chooses: it is the fastest where no other rung has its plan."
    axis = "times as fast as the lowest rung"
    return draw(
        key,
        title,
        caption,
        lambda layout: bars(lines, axis, layout, is_log=is_log, reference=1.0, can_hide=False),
        rows=[line.row() for line in lines],
    )


def _bar(row: Row, *, is_best: bool) -> Bar:
    interval, compile_s = row["ratio_ci95"], row["compile_time_s"]
    if _has_ratio(row):
        text = f"{format_ratio(row['ratio'])}{TIMES}"
        note = f"{format_seconds(compile_s)} to compile" if row["is_compiled"] and compile_s else ""
    else:
        reason = f": {row['reason']}" if row["reason"] else ""
        text, note = cut(f"{row['status']}{reason}", FAILURE_CHARACTERS), ""
    return Bar(
        chart_name(row["rung"]),
        row["ratio"],
        text,
        ACCENT if is_best else GREY,
        None if interval is None else (interval[0], interval[1]),
        _facts(row),
        note,
        is_best,
    )


def _facts(row: Row) -> dict[str, str]:
    interval, rate, compile_s = row["ratio_ci95"], row["images_per_s"], row["compile_time_s"]
    spread = " to ".join(map(format_ratio, interval)) if interval else "unknown"
    return {
        "rung": one_line(row["rung"]),
        "adds": one_line(row["adds"] or "unknown"),
        "plan": one_line(row["plan"] or "unknown"),
        "precision": one_line(row["precision"]),
        "throughput": "unknown" if rate is None else f"{format_count(rate)} images/s",
        "95 % interval of the ratio": spread,
        "compilation": "unknown" if compile_s is None else format_seconds(compile_s),
        "rounds": str(row["rounds"]),
    }
