"""What accuracy costs: the Pareto chart, against seconds, joules, parameters, memory or FLOPs."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from results.report.charts import vega
from results.report.charts.figure import ReportFigure, draw, names_of, unknown_for
from results.report.charts.theme import QUIET, ChartLayout
from results.report.charts.vega import Rows, Specification
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
    """Accuracy against each cost that at least two series know and in which they differ."""
    drawn = [(cost, _with_cost(material, cost)) for cost in COSTS]
    return [
        _figure(material, cost, series)
        for cost, series in drawn
        if len(series) > 1 and not _is_held_equal(cost, series)
    ]


def _with_cost(material: Material, cost: CostAxis) -> list[Series]:
    return [
        series
        for series in material.finished
        if series.has_learnt and series.row["test_accuracy"] is not None and series.row[cost.key]
    ]


def _is_held_equal(cost: CostAxis, series: Sequence[Series]) -> bool:
    """Under a seconds budget training time is the same for all, and no cost to compare."""
    return cost.key == "train_time_s" and all(holds_time_equal(one.row) for one in series)


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
