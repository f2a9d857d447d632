"""What accuracy costs: the Pareto chart, against seconds, joules, parameters, memory or FLOPs."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from results.report.charts.figure import (
    DECIMALS,
    IS_SHOWN,
    ReportFigure,
    colour,
    draw,
    names_of,
    shape,
    shown_parameter,
    tooltip,
    unknown_for,
)
from results.report.charts.placement import along, place_labels
from results.report.charts.scales import Scale, linear_scale, log_scale
from results.report.charts.theme import ChartLayout
from results.report.material import Material, Series
from results.rows.comparable import holds_time_equal, pareto_front
from results.text import format_bytes, format_count, format_joules, format_seconds, short_names

if TYPE_CHECKING:
    import altair as alt

    Chart = alt.TopLevelMixin


class CostAxis(NamedTuple):
    """A row key of which less is better, as an axis."""

    key: str
    name: str
    axis: str
    unit: float  # of the axis, in base units
    text: Callable[[float], str]
    tick: str = DECIMALS  # an expression that writes it at the axis


THOUSANDS = "format(datum.value, '~s')"  # 10k, 1M: of counts, as a second would become 1000m
COSTS = (
    CostAxis("train_time_s", "training time", "training time (s)", 1.0, format_seconds),
    CostAxis("energy_j", "energy", "energy (J)", 1.0, format_joules),
    CostAxis("num_params", "parameters", "parameters", 1.0, format_count, THOUSANDS),
    CostAxis("peak_memory_bytes", "memory", "peak memory (MiB)", 2.0**20, format_bytes),
    CostAxis(
        "flops_per_image", "FLOPs", "FLOPs an image, training step", 1.0, format_count, THOUSANDS
    ),
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
    rows = [one.row for one in series]
    front = [bool(mark) for mark in pareto_front(rows, cost=cost.key)]
    caption = (
        "Up and to the left is better. The line is the Pareto front: no other model is both more "
        f"accurate and better in {cost.name}."
    )
    if any(row["test_accuracy_ci95"] for row in rows):
        caption += " Bars: 95 % interval of the mean over the seeds."
    reason = f"at chance, or {cost.name} unknown"
    caption += unknown_for(reason, names_of(material.finished), names_of(series))
    title = f"Test accuracy against {cost.name}"
    return draw(
        f"cost-{cost.key.partition('_')[0]}-{cost.key.rpartition('_')[2]}",
        title,
        caption,
        lambda layout: _chart(cost, series, front, material.names, layout),
    )


def _chart(
    cost: CostAxis,
    series: Sequence[Series],
    front: Sequence[bool],
    names: list[str],
    layout: ChartLayout,
) -> "Chart":
    import altair as alt

    x_scale, y_scale = _scales(cost, series)
    x = alt.X(
        "cost:Q",
        title=cost.axis,
        scale=alt.Scale(type="log", domain=[x_scale.low, x_scale.high], nice=False),
        axis=alt.Axis(values=x_scale.ticks(4 if layout.is_narrow else 7), labelExpr=cost.tick),
    )
    y = alt.Y(
        "accuracy:Q",
        title="test accuracy (%)",
        scale=alt.Scale(domain=[y_scale.low, y_scale.high], nice=False, zero=False),
    )
    values = _values(cost, series, front, (x_scale, y_scale), layout)
    base = alt.Chart(alt.Data(values=values), width=layout.width, height=layout.height)
    base = base.transform_filter(IS_SHOWN)
    line = base.transform_filter("datum.front").mark_line(
        interpolate="step-after", strokeWidth=1.5, opacity=0.7, color="var(--quiet)"
    )
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.5)
    bars = bars.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour(names))
    points = base.mark_point(size=100, filled=True, opacity=1).encode(
        x=x, y=y, color=colour(names), shape=shape(names), tooltip=_tooltip(cost)
    )
    text = base.mark_text(
        dx=alt.expr("datum.dx"), dy=alt.expr("datum.dy"), baseline="middle"
    ).encode(x=x, y=y, text="text:N")
    layers = alt.layer(line.encode(x=x, y=y, order="cost:Q"), bars, points, text)
    return layers.add_params(shown_parameter(names_of(series)))


def _scales(cost: CostAxis, series: Sequence[Series]) -> tuple[Scale, Scale]:
    ends = [end * 100 for one in series for end in (one.row["test_accuracy_ci95"] or ())]
    accuracies = [one.row["test_accuracy"] * 100 for one in series]
    return (
        log_scale([one.row[cost.key] / cost.unit for one in series]),
        linear_scale([*accuracies, *ends], least=0.0, most=100.0),
    )


def _values(
    cost: CostAxis,
    series: Sequence[Series],
    front: Sequence[bool],
    scales: tuple[Scale, Scale],
    layout: ChartLayout,
) -> list[dict[str, Any]]:
    x_scale, y_scale = scales
    spots = [
        (
            x_scale.pixel(one.row[cost.key] / cost.unit, layout.width),
            layout.height - y_scale.pixel(one.row["test_accuracy"] * 100, layout.height),
        )
        for one in series
    ]
    line = _corners([spot for spot, mark in zip(spots, front, strict=True) if mark])
    bars = [
        (x, layout.height - y_scale.pixel(end * 100, layout.height))
        for one, (x, _) in zip(series, spots, strict=True)
        for end in one.row["test_accuracy_ci95"] or ()
    ]
    obstacles = along(line) + [
        spot for pair in zip(bars[::2], bars[1::2], strict=True) for spot in along(pair)
    ]
    texts = list(short_names(names_of(series), layout.label_characters).values())
    places = place_labels(spots, texts, layout, obstacles)
    return [
        _value(cost, one, mark) | {"text": text, "dx": place.dx, "dy": place.dy}
        for one, mark, text, place in zip(series, front, texts, places, strict=True)
    ]


def _corners(spots: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The stairs through the points of the front."""
    stairs: list[tuple[float, float]] = []
    for x, y in sorted(spots):
        stairs += [(x, stairs[-1][1])] if stairs else []
        stairs.append((x, y))
    return stairs


def _value(cost: CostAxis, series: Series, is_on_front: bool) -> dict[str, Any]:
    row = series.row
    interval = row["test_accuracy_ci95"]
    low, high = (end * 100 for end in interval) if interval else (None, None)
    spread = f"{low:.2f} to {high:.2f}" if interval else "one seed"
    return {
        "series": series.label,
        "cost": row[cost.key] / cost.unit,
        "accuracy": row["test_accuracy"] * 100,
        "low": low,
        "high": high,
        "front": is_on_front,
        "accuracy_text": f"{row['test_accuracy'] * 100:.2f} %",
        "interval_text": spread,
        "cost_text": cost.text(row[cost.key]),
        "time_text": format_seconds(row["train_time_s"]) if row["train_time_s"] else "unknown",
        "front_text": "yes" if is_on_front else "no",
        "flags_text": ", ".join(row["flags"]) or "none",
    }


def _tooltip(cost: CostAxis) -> "list[alt.Tooltip]":
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
    return tooltip(shown)
