"""How near the machine's limits it trains: the roofline, and the share of the floor."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from results.render.columns import share_of_floor
from results.report.charts.figure import (
    DECIMALS,
    IS_SHOWN,
    ReportFigure,
    colour,
    draw,
    names_of,
    readable,
    shape,
    shown_parameter,
    tooltip,
    unknown_for,
)
from results.report.charts.floor import floor_figures
from results.report.charts.placement import along, place_labels
from results.report.charts.scales import Scale, log_scale, with_room
from results.report.charts.theme import CHARACTER_WIDTH, ChartLayout, variable
from results.report.material import Material, Series
from results.text import format_count, short_names

if TYPE_CHECKING:
    import altair as alt

DECADE = 10.0
WORDS_HEIGHT = 16.0  # pixels of a line of words above the roof


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
    return [*_rooflines(material), *floor_figures(material)]


def intensity(series: Series) -> float | None:
    """FLOPs for each byte that must move, of a training step."""
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


def _rooflines(material: Material) -> list[ReportFigure]:
    roofs = roofs_of(material)
    series = [one for one in material.finished if intensity(one) and achieved(one)]
    if roofs is None or not series:
        return []
    caption = (
        "Higher is better. The roof is what this machine was measured to do: where it slopes, "
        "moving bytes binds, where it is flat, computing does. The grey band is the rate of a "
        "copy, which depends on its size."
    )
    if any(_is_above(one, roofs) for one in series):
        caption += (
            " Above the roof stand convolutions that take fewer FLOPs than the direct ones that "
            "are counted, or ceilings measured while the machine was busy."
        )
    caption += unknown_for("FLOPs or bytes unknown", names_of(material.finished), names_of(series))
    figure = draw(
        "limit-roofline",
        "Rate against the machine's roof",
        caption,
        lambda layout: _roofline(series, roofs, material.names, layout),
    )
    return [figure]


def _is_above(series: Series, roofs: Roofs) -> bool:
    return (achieved(series) or 0.0) > roofs.at(intensity(series) or 0.0, 1)


def _roofline(
    series: Sequence[Series], roofs: Roofs, names: list[str], layout: ChartLayout
) -> "alt.TopLevelMixin":
    import altair as alt

    scales = _scales(series, roofs, layout)
    x, y = _axes(scales, layout)
    base = _chart(_points(series, roofs, scales, layout), layout)
    base = base.transform_filter(IS_SHOWN).encode(x=x, y=y)
    points = base.mark_point(size=100, filled=True, opacity=1)
    place: dict[str, Any] = {"dx": alt.expr("datum.dx"), "dy": alt.expr("datum.dy")}
    models = alt.layer(
        points.encode(color=colour(names), shape=shape(names), tooltip=_tooltip()),
        *readable(base, {"text": "label:N"}, **place),
    )
    roof = alt.layer(*_roof_layers(roofs, scales, layout, (x, y)))
    return alt.layer(roof, models).add_params(shown_parameter(names_of(series)))


def _chart(values: Sequence[Mapping[str, Any]], layout: ChartLayout) -> "alt.Chart":
    import altair as alt

    return alt.Chart(
        alt.Data(values=[dict(value) for value in values]), width=layout.width, height=layout.height
    )


def _scales(series: Sequence[Series], roofs: Roofs, layout: ChartLayout) -> tuple[Scale, Scale]:
    """Both with the knees of the roofs inside, where those are not decades away."""
    across = [found for one in series if (found := intensity(one))]
    inside = [k for k in roofs.knees() if min(across) / DECADE < k < max(across) * DECADE]
    x = log_scale([*across, *inside])
    rates = [found for one in series if (found := achieved(one))]
    tops = [roofs.at(x.high, 1), roofs.at(x.low, 0)]
    room = [(roofs.at(x.high, 1), len(roof_words(roofs, x)) * WORDS_HEIGHT + 8.0)]
    return x, with_room(log_scale([*rates, *tops]), room, layout.height)


def _axes(scales: tuple[Scale, Scale], layout: ChartLayout) -> "tuple[alt.X, alt.Y]":
    import altair as alt

    x, y = scales
    most = 4 if layout.is_narrow else 7
    return (
        alt.X(
            "intensity:Q",
            title="arithmetic intensity (FLOPs a byte), log scale",
            scale=alt.Scale(type="log", domain=[x.low, x.high], nice=False),
            axis=alt.Axis(values=x.ticks(most), labelExpr=DECIMALS, grid=False),
        ),
        alt.Y(
            "rate:Q",
            title="computing rate (FLOP/s), log scale",
            scale=alt.Scale(type="log", domain=[y.low, y.high], nice=False),
            axis=alt.Axis(values=y.ticks(6), format="~s"),
        ),
    )


def _points(
    series: Sequence[Series], roofs: Roofs, scales: tuple[Scale, Scale], layout: ChartLayout
) -> list[dict[str, Any]]:
    """The values of the points, their labels clear of each other and of the roofs."""
    labels = short_names(names_of(series), layout.label_characters)
    values = [_point(one, labels[one.label]) for one in series]
    spots = [_spot(value["intensity"], value["rate"], scales, layout) for value in values]
    obstacles = [
        spot
        for end in (0, 1)
        for spot in along(
            [_spot(at["intensity"], at["rate"], scales, layout) for at in _roof(roofs, scales, end)]
        )
    ]
    across = scales[0]
    left, top = _spot(across.low, roofs.at(across.high, 1), scales, layout)
    obstacles += [
        spot
        for text, up in _words(roofs, scales[0])
        for spot in along([(left, top - up), (left + len(text) * CHARACTER_WIDTH, top - up)], 4.0)
    ]
    places = place_labels(spots, [value["label"] for value in values], layout, obstacles)
    return [
        value | {"dx": place.dx, "dy": place.dy}
        for value, place in zip(values, places, strict=True)
    ]


def _spot(
    across: float, rate: float, scales: tuple[Scale, Scale], layout: ChartLayout
) -> tuple[float, float]:
    x, y = scales
    return x.pixel(across, layout.width), layout.height - y.pixel(rate, layout.height)


def _point(series: Series, label: str) -> dict[str, Any]:
    row = series.row
    across, rate = intensity(series) or 0.0, achieved(series) or 0.0
    return {
        "series": series.label,
        "label": label,
        "intensity": across,
        "rate": rate,
        "rate_text": f"{format_count(rate)}FLOP/s",
        "intensity_text": f"{across:.3g} FLOPs a byte",
        "flops_text": format_count(row["flops_per_step"]),
        "bytes_text": f"{format_count(row['bytes_per_step'])}B",
        "floor_text": share_of_floor(row),
    }


def _tooltip() -> "list[alt.Tooltip]":
    shown = {
        "series": "model",
        "rate_text": "computing rate",
        "intensity_text": "arithmetic intensity",
        "flops_text": "FLOPs a step",
        "bytes_text": "bytes a step",
        "floor_text": "of its floor, and what binds",
    }
    return tooltip(shown)


def _roof(roofs: Roofs, scales: tuple[Scale, Scale], end: int) -> list[dict[str, float]]:
    """The corners of a roof, 0 the lowest and 1 the highest."""
    x, _ = scales
    corners = sorted({x.low, x.high, *(k for k in roofs.knees() if x.low < k < x.high)})
    return [{"intensity": at, "rate": roofs.at(at, end)} for at in corners]


def _roof_layers(
    roofs: Roofs,
    scales: tuple[Scale, Scale],
    layout: ChartLayout,
    axes: "tuple[alt.X, alt.Y]",
) -> "list[alt.Chart]":
    """The band between the roofs, its edges, and what each part of it is."""
    import altair as alt

    (x, y), across = axes, scales[0]
    low, high = _roof(roofs, scales, 0), _roof(roofs, scales, 1)
    band = _chart([a | {"top": b["rate"]} for a, b in zip(low, high, strict=True)], layout)
    area = band.mark_area(color=variable("--quiet"), opacity=0.15, clip=True)
    edges = [
        _chart(roof, layout)
        .mark_line(color=variable("--quiet"), strokeWidth=1.5, clip=True)
        .encode(x=x, y=y)
        for roof in ([high] if low == high else [low, high])
    ]
    corner = {"intensity": across.low, "rate": roofs.at(across.high, 1)}
    words = [corner | {"text": text, "dy": -up} for text, up in _words(roofs, across)]
    place: dict[str, Any] = {"align": "left", "dx": 6, "dy": alt.expr("datum.dy")}
    said = readable(_chart(words, layout).encode(x=x, y=y), {"text": "text:N"}, **place)
    return [area.encode(x=x, y=y, y2="top:Q"), *edges, *said]


def roof_words(roofs: Roofs, x: Scale) -> list[str]:
    """What the parts of the roof that are in sight stand for."""
    slope = [f"slope: copy, {_range(roofs.bytes_per_s)}B/s"] if x.low < max(roofs.knees()) else []
    flat = (
        [f"flat: matmul, {_range(roofs.flops_per_s)}FLOP/s"] if x.high > min(roofs.knees()) else []
    )
    return slope + flat


def _range(ends: tuple[float, float]) -> str:
    return " to ".join(dict.fromkeys(format_count(end) for end in ends))


def _words(roofs: Roofs, x: Scale) -> list[tuple[str, float]]:
    """Each line and its pixels above the flat roof."""
    lines = roof_words(roofs, x)
    return [
        (line, 12.0 + WORDS_HEIGHT * (len(lines) - 1 - number)) for number, line in enumerate(lines)
    ]
