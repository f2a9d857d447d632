"""What training costs: accuracy against each cost, and bars of speed, memory and energy."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from results.report.charts import vega
from results.report.charts.lanes import Bar, bars, needs_log
from results.report.charts.theme import QUIET, ChartLayout, series_colour
from results.report.charts.vega import (
    ReportFigure,
    Rows,
    Specification,
    draw,
    names_of,
    unknown_for,
)
from results.report.material import Material, Series
from results.rows.comparable import holds_time_equal, pareto_front
from results.text import format_bytes, format_count, format_joules, format_seconds


class CostAxis(NamedTuple):
    """A row key of which less is better, as an axis."""

    key: str
    name: str
    axis: str
    text: Callable[[float], str]
    unit: float = 1.0  # of the axis, in base units
    tick: str = vega.DECIMALS  # an expression that writes it at the axis


FLOPS = ("flops_per_image", "FLOPs", "FLOPs an image, training step")
COSTS = (
    CostAxis("train_time_s", "training time", "training time (s)", format_seconds),
    CostAxis("energy_j", "energy", "energy (J)", format_joules),
    CostAxis("num_params", "parameters", "parameters", format_count, tick=vega.THOUSANDS),
    CostAxis("peak_memory_bytes", "memory", "peak memory (MiB)", format_bytes, 2.0**20),
    CostAxis(*FLOPS, format_count, tick=vega.THOUSANDS),
)


def cost_figures(material: Material) -> list[ReportFigure]:
    """Draw accuracy against each cost that at least two series know and in which they differ."""
    learnt = [one for one in material.finished if one.has_learnt]
    figures = []
    for cost in COSTS:
        series = [
            one for one in learnt if one.row[cost.key] and one.row["test_accuracy"] is not None
        ]
        # under a seconds budget training time is the same for all, and no cost to compare
        is_equal = cost.key == "train_time_s" and all(holds_time_equal(one.row) for one in series)
        if len(series) > 1 and not is_equal:
            figures.append(_figure(material, cost, series))
    return figures


def _figure(material: Material, cost: CostAxis, series: Sequence[Series]) -> ReportFigure:
    front = pareto_front([one.row for one in series], cost=cost.key)
    rows = [_row(cost, one, bool(mark)) for one, mark in zip(series, front, strict=True)]
    caption = (
        "Up and to the left is better. The line is the Pareto front: no other model is both more "
        f"accurate and better in {cost.name}."
    )
    if any(row["low"] is not None for row in rows):
        caption += " Bars: 95 % interval of the mean over the seeds."
    reason = f"at chance, or {cost.name} unknown"
    caption += unknown_for(reason, names_of(material.finished), names_of(series))
    return draw(
        f"cost-{cost.key.partition('_')[0]}-{cost.key.rpartition('_')[2]}",
        f"Test accuracy against {cost.name}",
        caption,
        lambda layout: _chart(cost, rows, material.names, layout),
        rows=rows,
    )


def _chart(cost: CostAxis, rows: Rows, names: list[str], layout: ChartLayout) -> Specification:
    drawn = [row["series"] for row in rows]
    by_series = vega.marked_series(drawn, names, layout)
    costs, ticks = [row["cost"] for row in rows], {"labelExpr": cost.tick}
    x = vega.quantity("cost", cost.axis, costs, is_log=True, axis=ticks)
    ends = [row[key] for row in rows for key in ("low", "accuracy", "high")]
    y = vega.quantity("accuracy", "test accuracy (%)", [end for end in ends if end is not None])
    shown = {
        "series": "model",
        "accuracy_text": "test accuracy",
        "interval_text": "95 % interval",
        "cost_text": cost.name,
        "front_text": "on the front",
        "flags_text": "flags",
    }
    if cost.key != "train_time_s":
        shown["time_text"] = "training time"
    front = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5, "color": QUIET}
    interval = {"y": y | {"field": "low"}, "y2": {"field": "high"}, "color": by_series["color"]}
    return vega.size_of(layout) | {
        "data": {"name": "rows"},
        "params": [vega.shown_parameter(drawn)],
        "transform": [vega.IF_SHOWN],
        "encoding": {"x": x, "y": y},
        "layer": [
            vega.layer(front, {"order": {"field": "cost", "type": "quantitative"}}, "datum.front"),
            vega.layer({"type": "rule", "strokeWidth": 1.5}, interval, "isValid(datum.low)"),
            vega.layer({"type": "point"}, by_series | vega.tooltip(shown)),
        ],
    }


def _row(cost: CostAxis, series: Series, is_on_front: bool) -> dict[str, Any]:
    row = series.row
    interval = row["test_accuracy_ci95"]
    low, high = (end * 100 for end in interval) if interval else (None, None)
    return {
        "series": series.label,
        "cost": row[cost.key] / cost.unit,
        "accuracy": row["test_accuracy"] * 100,
        "low": low,
        "high": high,
        "front": is_on_front,
        "accuracy_text": f"{row['test_accuracy'] * 100:.2f} %",
        "interval_text": "one seed" if low is None else f"{low:.2f} to {high:.2f}",
        "cost_text": cost.text(row[cost.key]),
        "time_text": format_seconds(row["train_time_s"]) if row["train_time_s"] else "unknown",
        "front_text": "yes" if is_on_front else "no",
        "flags_text": ", ".join(row["flags"]) or "none",
    }


class BarQuantity(NamedTuple):
    """A row key as bars."""

    key: str
    measured: str  # the quantity whose interval over the seeds is drawn; empty where none holds
    name: str
    axis: str
    text: Callable[[float], str]  # a value as a person reads it
    unit: float = 1.0  # of the axis, in base units
    is_gain: bool = False  # more is better
    remark: str = ""  # what a reader must know beside it


IMAGES = BarQuantity(
    key="images_per_s",
    measured="throughput",
    name="Training throughput",
    axis="training images a second",
    text=lambda rate: f"{format_count(rate)} images/s",
    is_gain=True,
    remark="Only the training clock counts: permutation, augmentation and steps.",
)
MEMORY = BarQuantity(
    key="peak_memory_bytes",
    measured="",  # the row holds the largest of the seeds, not a mean
    name="Peak memory",
    axis="peak memory of training (MiB)",
    text=format_bytes,
    unit=2.0**20,
    remark="The largest of the seeds.",
)
EPOCH = ("epoch_time_s", "epoch_time", "Time of an epoch", "training time of an epoch (s)")
ENERGY = ("energy_j", "energy", "Energy", "energy of the training (J)")
SPEEDS = (
    IMAGES,
    MEMORY,
    BarQuantity(*EPOCH, format_seconds),
    BarQuantity(*ENERGY, format_joules),
)


def speed_figures(material: Material) -> list[ReportFigure]:
    """A figure for each quantity that at least two series know."""
    known = {each: [one for one in material.finished if one.row[each.key]] for each in SPEEDS}
    return [_speed_figure(material, speed, some) for speed, some in known.items() if len(some) > 1]


def _speed_figure(material: Material, speed: BarQuantity, known: Sequence[Series]) -> ReportFigure:
    series = sorted(known, key=lambda one: float(one.row[speed.key]), reverse=speed.is_gain)
    lines = [_speed_bar(speed, one) for one in series]
    is_log = needs_log([bar.value for bar in lines if bar.value is not None])
    caption = f"{'More' if speed.is_gain else 'Less'} is better; the best stands on top."
    caption += f" {speed.remark}" if speed.remark else ""
    if any(bar.interval for bar in lines):
        caption += " Thin lines: 95 % interval of the mean over the seeds."
    caption += unknown_for("unknown", names_of(material.finished), names_of(series))
    return draw(
        f"speed-{speed.key.partition('_')[0]}",
        speed.name,
        caption,
        lambda layout: bars(lines, speed.axis, layout, is_log=is_log),
        rows=[bar.row() for bar in lines],
    )


def _speed_bar(speed: BarQuantity, series: Series) -> Bar:
    value = float(series.row[speed.key])
    interval = series.summary.interval(speed.measured) if speed.measured else None
    low, high = interval or (value, value)
    facts = {
        "model": series.label,
        speed.name.lower(): speed.text(value),
        "seeds": str(series.row["n_seeds"]),
        "plan": series.row["plan"],
        "flags": ", ".join(series.row["flags"]) or "none",
    }
    if speed.measured:
        none = "one seed" if series.row["n_seeds"] == 1 else "unknown"
        spread = f"{speed.text(max(0.0, low))} to {speed.text(high)}"
        facts["95 % interval"] = spread if interval else none
    return Bar(
        series.label,
        value / speed.unit,
        speed.text(value),
        series_colour(series.index),
        (low / speed.unit, high / speed.unit) if interval else None,
        facts,
        "" if series.has_learnt else "at chance",
    )
