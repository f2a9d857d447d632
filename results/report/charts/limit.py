"""How near the machine's limits it trains: the roofline, and the share of the floor."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from results.render.columns import share_of_floor
from results.report.charts import vega
from results.report.charts.lanes import Bar, bars
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
from results.text import format_count, format_latency, format_seconds

DECADE = 10.0
BEYOND = 1.5  # times: how far the roof reaches past the points and its knees


class Roofs(NamedTuple):
    """The measured ceilings, the lowest and the highest of each; alike where there is one."""

    flops_per_s: tuple[float, float]
    bytes_per_s: tuple[float, float]

    def at(self, intensity: float, end: int) -> float:
        """What is attainable at so many FLOPs a byte: 0 for the lowest roof, 1 for the highest."""
        return min(self.flops_per_s[end], self.bytes_per_s[end] * intensity)

    def knees(self) -> list[float]:
        """FLOPs a byte from which on the matrix units bind, of the lowest and the highest roof."""
        pairs = zip(self.flops_per_s, self.bytes_per_s, strict=True)
        return [flops / num_bytes for flops, num_bytes in pairs]


def limit_figures(material: Material) -> list[ReportFigure]:
    """The roofline, and the share of the floor; those of which the records know enough."""
    return [*_roofline_figures(material), *_floor_figures(material)]


def intensity(series: Series) -> float | None:
    """FLOPs of a training step for each byte that must move."""
    flops, num_bytes = series.row["flops_per_step"], series.row["bytes_per_step"]
    return flops / num_bytes if flops and num_bytes else None


def achieved(series: Series) -> float | None:
    """FLOPs a second of training; a ragged last batch counts as its share of a step."""
    flops, rate = series.row["flops_per_image"], series.row["images_per_s"]
    return flops * rate if flops and rate else None


def roofs_of(material: Material) -> Roofs | None:
    """The ceilings of all runs, or None where none was measured."""
    limits = [
        limit
        for series in material.finished
        for record in series.summary.finished
        if (limit := record.conditions.get("limit"))
    ]
    flops = [limit["flops_per_s"] for limit in limits if limit.get("flops_per_s")]
    rates = [limit["bytes_per_s"] for limit in limits if limit.get("bytes_per_s")]
    return Roofs((min(flops), max(flops)), (min(rates), max(rates))) if flops and rates else None


def _roofline_figures(material: Material) -> list[ReportFigure]:
    roofs = roofs_of(material)
    series = [one for one in material.finished if intensity(one) and achieved(one)]
    if roofs is None or not series:
        return []
    points = [_point(one) for one in series]
    caption = (
        "Higher is better. The roof is what this machine was measured to do: where it slopes, "
        "moving bytes binds, where it is flat, computing does. The grey band is the rate of a "
        "copy, which depends on its size."
    )
    if any(point["rate"] > roofs.at(point["intensity"], 1) for point in points):
        caption += (
            " Above the roof stand convolutions that take fewer FLOPs than the direct ones that "
            "are counted, or ceilings measured while the machine was busy."
        )
    caption += unknown_for("FLOPs or bytes unknown", names_of(material.finished), names_of(series))
    roof = roof_rows(roofs, [point["intensity"] for point in points])
    figure = draw(
        "limit-roofline",
        "Rate against the machine's roof",
        caption,
        lambda layout: _roofline(points, roof, roof_words(roofs, roof), material.names, layout),
        rows=points,
        roof=roof,
    )
    return [figure]


def _point(series: Series) -> dict[str, Any]:
    row = series.row
    across, rate = intensity(series) or 0.0, achieved(series) or 0.0
    return {
        "series": series.label,
        "intensity": across,
        "rate": rate,
        "rate_text": f"{format_count(rate)}FLOP/s",
        "intensity_text": f"{across:.3g} FLOPs a byte",
        "flops_text": format_count(row["flops_per_step"]),
        "bytes_text": f"{format_count(row['bytes_per_step'])}B",
        "floor_text": share_of_floor(row),
    }


def roof_rows(roofs: Roofs, intensities: Sequence[float]) -> Rows:
    """The corners of both roofs, a little wider than the points; knees decades away are outside."""
    least, most = min(intensities), max(intensities)
    inside = [knee for knee in roofs.knees() if least / DECADE < knee < most * DECADE]
    low, high = min([least, *inside]) / BEYOND, max([most, *inside]) * BEYOND
    return [
        {"intensity": at, "low": roofs.at(at, 0), "high": roofs.at(at, 1)}
        for at in sorted({low, *inside, high})
    ]


def roof_words(roofs: Roofs, roof: Rows) -> list[str]:
    """What the parts of the roof that are in sight stand for."""
    words = []
    if roof[0]["intensity"] < max(roofs.knees()):
        words.append(f"slope: copy, {_range(roofs.bytes_per_s)}B/s")
    if roof[-1]["intensity"] > min(roofs.knees()):
        words.append(f"flat: matmul, {_range(roofs.flops_per_s)}FLOP/s")
    return words


def _range(ends: tuple[float, float]) -> str:
    return " to ".join(dict.fromkeys(format_count(end) for end in ends))


def _roofline(
    points: Rows, roof: Rows, words: list[str], names: list[str], layout: ChartLayout
) -> Specification:
    drawn = [row["series"] for row in points]
    rates = [row[key] for row in (*points, *roof) for key in ("rate", "low", "high") if key in row]
    in_thousands = {"labelExpr": vega.THOUSANDS}
    y = vega.quantity("rate", "computing rate (FLOP/s)", rates, is_log=True, axis=in_thousands)
    low, high = y | {"field": "low"}, y | {"field": "high"}
    x = vega.quantity(
        "intensity",
        "arithmetic intensity (FLOPs a byte)",
        [row["intensity"] for row in roof],
        is_log=True,
        scale={"padding": 0},
        axis={"grid": False},
    )
    titles = {
        "series": "model",
        "rate_text": "computing rate",
        "intensity_text": "arithmetic intensity",
        "flops_text": "FLOPs a step",
        "bytes_text": "bytes a step",
        "floor_text": "of its floor, and what binds",
    }
    edge = {"type": "line", "color": QUIET, "strokeWidth": 1.5}
    band = {"y": low, "y2": {"field": "high"}}
    by_series = vega.marked_series(drawn, names, layout)
    models = vega.layer({"type": "point"}, {"y": y} | by_series | vega.tooltip(titles))
    return vega.size_of(layout) | {
        "title": {"text": words, "offset": 8},
        "data": {"name": "roof"},
        "params": [vega.shown_parameter(drawn)],
        "encoding": {"x": x},
        "layer": [
            vega.layer({"type": "area", "color": QUIET, "opacity": 0.15}, band),
            vega.layer(edge, {"y": low}),
            vega.layer(edge, {"y": high}),
            models | {"data": {"name": "rows"}, "transform": [vega.IF_SHOWN]},
        ],
    }


def _floor_figures(material: Material) -> list[ReportFigure]:
    series = [one for one in material.finished if one.row["percent_of_floor"]]
    if not series:
        return []
    series.sort(key=lambda one: float(one.row["percent_of_floor"]), reverse=True)
    caption = (
        "The floor is the least time that a training step could take on this machine: its FLOPs "
        "at the measured matmul rate, its bytes at the measured copy rate or the start of its "
        "kernels, whichever takes longest and so binds. At 100 % nothing is lost."
    )
    if any(one.row["percent_of_floor"] > 100 for one in series):
        caption += (
            " Above it stand convolutions that take fewer FLOPs than the direct ones that are "
            "counted, or ceilings measured while the machine was busy."
        )
    caption += unknown_for("floor unknown", names_of(material.finished), names_of(series))
    lines = [_floor_bar(one) for one in series]
    axis = "share of the speed at the floor (%)"
    figure = draw(
        "limit-floor",
        "Share of what the machine allows",
        caption,
        lambda layout: bars(lines, axis, layout, reference=100.0),
        rows=[line.row() for line in lines],
    )
    return [figure]


def _floor_bar(series: Series) -> Bar:
    row = series.row
    percent, _, binding = share_of_floor(row).partition(" % ")
    seconds = row["floor_s"]
    in_words = format_latency if seconds is not None and seconds < 1e-3 else format_seconds
    facts = {
        "model": series.label,
        "of the floor": f"{percent} %",
        "binds": binding or "unknown",
        "floor of a step": "unknown" if seconds is None else in_words(seconds),
        "plan": row["plan"],
    }
    note = f"{binding} binds" if binding else ""
    fill = series_colour(series.index)
    return Bar(series.label, row["percent_of_floor"], f"{percent} %", fill, None, facts, note)
