"""What a setting does: throughput, memory and accuracy against its values, a line for each model.

Where rows differ in more than one setting, a line is a model under one combination of the others.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from results.report.charts import vega
from results.report.charts.cost import IMAGES, MEMORY, BarQuantity
from results.report.charts.lanes import needs_log
from results.report.charts.theme import CHARACTER_WIDTH, ChartLayout
from results.report.charts.vega import (
    ReportFigure,
    Rows,
    Specification,
    draw,
    names_of,
    unknown_for,
)
from results.report.material import Material, Series, chart_name
from results.rows.comparable import labels
from results.rows.settings import (
    Settings,
    is_number,
    recipe_name,
    setting_text,
    settings_of,
)
from results.text import percent

QUANTITIES = (
    IMAGES,
    MEMORY,
    BarQuantity(
        key="test_accuracy",
        measured="test_accuracy",
        name="Test accuracy",
        axis="test accuracy (%)",
        text=percent,
        unit=0.01,
        is_gain=True,
    ),
)
LEAST_FOR_LOG = 10.0  # largest value over the smallest: from here on the axis is logarithmic
MOST_TICKS = 12  # values that are all written at the axis
AT_VALUES = "format(datum.value, ',.12~r')"


def varied_settings(material: Material) -> list[str]:
    """The settings of which at least two values have numbers."""
    return list(_settings(material.finished)[0]) if material.finished else []


def setting_lines(material: Material, key: str) -> list[str]:
    """A name for each series with numbers, the same for those that differ in one setting alone."""
    settings = _settings(material.finished)
    rows = [_without(one, own, key) for one, own in zip(material.finished, settings, strict=True)]
    seen: dict[tuple[str, str], int] = {}
    names = []
    for label, own in zip(map(chart_name, labels(rows)), settings, strict=True):
        place = label, setting_text(own[key])
        seen[place] = seen.get(place, 0) + 1
        names.append(label if seen[place] == 1 else f"{label} #{seen[place]}")
    return names


def setting_figures(material: Material, key: str) -> list[ReportFigure]:
    """A figure for each quantity that a model has under two values of the setting."""
    figures = [_figure(material, key, quantity) for quantity in QUANTITIES]
    return [figure for figure in figures if figure]


def _settings(series: Sequence[Series]) -> list[Settings]:
    return settings_of([one.summary.spec for one in series])


def _without(series: Series, settings: Settings, key: str) -> Mapping[str, Any]:
    """A row as if the setting were the same for all: so is what follows from it."""
    row = {name: value for name, value in series.row.items() if name != key}
    spec = series.summary.spec
    row["recipe"] = recipe_name(row["recipe"], list(settings))
    row["plan"] = spec.get("requested_plan", spec["plan"])  # of `auto` each value may have its own
    return row


def _figure(material: Material, key: str, quantity: BarQuantity) -> ReportFigure | None:
    lines, settings = setting_lines(material, key), _settings(material.finished)
    known = [
        (one, line, own[key])
        for one, line, own in zip(material.finished, lines, settings, strict=True)
        if one.row[quantity.key]
    ]
    names = list(dict.fromkeys(lines))
    drawn = [line for _, line, _ in known]
    if len(set(drawn)) == len(drawn):  # nothing changes along any line
        return None
    rows = [_row(quantity, *each) for each in known]
    caption = f"{'More' if quantity.is_gain else 'Less'} is better."
    caption += f" {quantity.remark}" if quantity.remark else ""
    if any(row["low"] is not None for row in rows):
        caption += " Bars: 95 % interval of the mean over the seeds."
    caption += unknown_for(
        "unknown", names_of(material.finished), names_of([one for one, _, _ in known])
    )
    values = list({setting_text(value): value for *_, value in known}.values())  # as they were run
    return draw(
        f"setting-{key}-{quantity.key.partition('_')[0]}",
        f"{quantity.name} against {key}",
        caption,
        lambda layout: _chart(key, quantity, rows, values, names, layout),
        rows=rows,
    )


def _row(quantity: BarQuantity, series: Series, line: str, value: object) -> dict[str, Any]:
    row = series.row
    interval = series.summary.interval(quantity.measured) if quantity.measured else None
    low, high = interval or (None, None)
    most = 1.0 if quantity.key == "test_accuracy" else None
    return {
        "series": line,
        "setting": value if is_number(value) else None,
        "setting_text": chart_name(setting_text(value)),
        "value": row[quantity.key] / quantity.unit,
        "low": None if low is None else max(0.0, low) / quantity.unit,
        "high": None if high is None else min(high, most or high) / quantity.unit,
        "value_text": quantity.text(row[quantity.key]),
        "seeds": str(row["n_seeds"]),
        "plan": row["plan"],
        "flags_text": ", ".join(row["flags"]) or "none",
    }


def _chart(
    key: str,
    quantity: BarQuantity,
    rows: Rows,
    values: Sequence[object],
    names: list[str],
    layout: ChartLayout,
) -> Specification:
    drawn = list(dict.fromkeys(row["series"] for row in rows))
    numbers = sorted(float(value) for value in values if is_number(value))  # type: ignore[arg-type]
    is_curve = len(numbers) == len(values)
    by_series = vega.marked_series(drawn, names, layout, ("color", "shape", "strokeDash"))
    dash, points = by_series.pop("strokeDash"), by_series
    x = _numbers(key, numbers) if is_curve else _words(key, values, layout)
    y = _quantity(quantity, rows)
    titles = {
        "series": "model",
        "setting_text": key,
        "value_text": quantity.name.lower(),
        "seeds": "seeds",
        "plan": "plan",
        "flags_text": "flags",
    }
    interval = {"y": y | {"field": "low"}, "y2": {"field": "high"}, "color": points["color"]}
    line = vega.layer(
        {"type": "line", "strokeWidth": 2}, {"color": points["color"], "strokeDash": dash}
    )
    return vega.size_of(layout) | {
        "data": {"name": "rows"},
        "params": [vega.shown_parameter(drawn)],
        "transform": [vega.IF_SHOWN],
        "encoding": {**x, "y": y},
        "layer": [
            *([line] if is_curve else []),
            vega.layer({"type": "rule", "strokeWidth": 1.5}, interval, "isValid(datum.low)"),
            vega.layer({"type": "point"}, points | vega.tooltip(titles)),
        ],
    }


def _numbers(key: str, numbers: Sequence[float]) -> Specification:
    """An axis of numbers: of powers of two by doublings, over a wide range logarithmic.

    Where 0 is among those of a wide range, it is symlog: linear up to the least of the others.
    """
    is_doubling = all(math.frexp(number)[0] == 0.5 for number in numbers)
    above = [number for number in numbers if number > 0]
    is_wide = min(numbers) >= 0 and max(numbers) >= LEAST_FOR_LOG * min(above, default=math.inf)
    axis: Specification = {"grid": False}
    is_symlog = is_wide and len(above) < len(numbers)
    if len(numbers) <= MOST_TICKS or is_symlog:  # Vega's own ticks of a symlog axis are linear
        axis |= {"values": list(numbers), "labelExpr": AT_VALUES, "labelOverlap": "greedy"}
    if is_symlog:
        title, scale = f"{key}, symlog scale", {"type": "symlog", "constant": min(above)}
        return {"x": vega.quantity("setting", title, numbers, scale=scale, axis=axis)}
    scale = {"base": 2} if is_doubling else {}
    is_log = is_doubling or is_wide
    return {"x": vega.quantity("setting", key, numbers, is_log=is_log, scale=scale, axis=axis)}


def _words(key: str, values: Sequence[object], layout: ChartLayout) -> Specification:
    """An axis of words, at each of which the lines' points stand side by side."""
    texts = [chart_name(setting_text(value)) for value in values]
    fits = max(map(len, texts)) * CHARACTER_WIDTH < layout.width / len(texts)
    axis = {"labelAngle": 0 if fits else -40, "grid": False}
    x = {"field": "setting_text", "type": "nominal", "sort": texts, "title": key, "axis": axis}
    return {"x": x, "xOffset": {"field": "series"}}


def _quantity(quantity: BarQuantity, rows: Rows) -> Specification:
    is_log = quantity.key != "test_accuracy" and needs_log([row["value"] for row in rows])
    ends = [row[end] for row in rows for end in ("low", "value", "high")]
    found = [end for end in ends if end is not None and (end > 0 or not is_log)]
    return vega.quantity("value", quantity.axis, found, is_log=is_log)
