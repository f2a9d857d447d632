"""Seconds to reach an accuracy: a lane for each model, a dot for each target."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from results.render.columns import MISSED
from results.report.charts.figure import (
    IS_SHOWN,
    ReportFigure,
    draw,
    names_of,
    readable,
    ruled_axis,
    shown_parameter,
    tooltip,
    unknown_for,
)
from results.report.charts.lanes import (
    NAME_CHARACTERS,
    lane_axis,
    lane_height,
    lane_names,
    lane_width,
    marks_down,
)
from results.report.charts.scales import Scale, log_scale, with_room
from results.report.charts.theme import CHARACTER_WIDTH, ChartLayout, series_colours, variable
from results.report.material import Material, Series
from results.rows.rows import TARGETS
from results.text import format_seconds, shortened

if TYPE_CHECKING:
    import altair as alt

GAP = 6.0  # pixels between two texts
NAME_UP = 18  # pixels from the middle of a lane up to its name, on a phone
ABOVE = 13  # pixels from a dot up to its text
ROOM = 20.0  # pixels between the last dot and what was missed


class Text(NamedTuple):
    """What stands above a dot, or above several that are too near for a text each.

    Attributes:
        targets: In percent, rising.
        seconds: When each was reached.
    """

    targets: tuple[int, ...]
    seconds: tuple[float, ...]

    @property
    def text(self) -> str:
        """One target, or the first and the last of several."""
        first, last = self.targets[0], self.targets[-1]
        return f"{first} %" if first == last else f"{first}\N{EN DASH}{last} %"

    def middle(self, scale: Scale, width: int) -> float:
        """Pixels from the left."""
        ends = scale.pixel(self.seconds[0], width) + scale.pixel(self.seconds[-1], width)
        return ends / 2

    def half(self) -> float:
        """Half of its width in pixels."""
        return len(self.text) * CHARACTER_WIDTH / 2


def target_figures(material: Material) -> list[ReportFigure]:
    """A figure, or none where no model reached any target."""
    series = sorted((one for one in material.finished if _times(one) is not None), key=_rank)
    if not any(reached(one) for one in series):
        return []
    caption = (
        "Further to the left is better: training time until the validation accuracy first was "
        "that high, as far as it was looked at. Those that reached most stand on top."
    )
    if any(one.row["n_seeds"] > 1 for one in series):
        caption += " Median over the seeds."
    caption += unknown_for("without a curve", names_of(material.finished), names_of(series))
    figure = draw(
        "time-targets",
        "Time to reach an accuracy",
        caption,
        lambda layout: _chart(series, len(material.names), layout),
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


def texts_of(found: Sequence[tuple[int, float]], scale: Scale, width: int) -> list[Text]:
    """The texts above the dots of a lane; those that would touch become one."""
    texts: list[Text] = []
    for percent, seconds in found:
        texts.append(Text((percent,), (seconds,)))
        while len(texts) > 1 and _touch(texts[-2], texts[-1], scale, width):
            left, right = texts[-2:]
            texts[-2:] = [Text(left.targets + right.targets, left.seconds + right.seconds)]
    return texts


def _touch(left: Text, right: Text, scale: Scale, width: int) -> bool:
    distance = right.middle(scale, width) - left.middle(scale, width)
    return distance < left.half() + right.half() + GAP


def _chart(series: Sequence[Series], num_colours: int, layout: ChartLayout) -> "alt.TopLevelMixin":
    import altair as alt

    names = names_of(series)
    width = lane_width(names, layout)
    ruled = log_scale([seconds for one in series for _, seconds in reached(one)])
    scale = with_room(ruled, _missed_room(series), width)
    x = alt.X(
        "seconds:Q",
        title="training time (s), log scale",
        scale=alt.Scale(type="log", domain=[scale.low, scale.high], nice=False),
        axis=ruled_axis(ruled, scale, width),
    )
    colours = series_colours(num_colours)
    values = [value for one in series for value in _values(one, colours[one.index], scale, width)]
    base = alt.Chart(alt.Data(values=values), width=width)
    base = base.transform_filter(IS_SHOWN).encode(y=lane_axis(names, layout))
    layers = [*_marks(base, x, width, layout), *lane_names(base, layout, NAME_UP)]
    chart = alt.layer(*layers).properties(height=lane_height(layout, 40))
    return chart.add_params(shown_parameter(names))


def _missed_room(series: Sequence[Series]) -> list[tuple[float, float]]:
    last = max(seconds for one in series for _, seconds in reached(one))
    longest = max(len(_missed_text(one)) for one in series)
    return [(last, longest * CHARACTER_WIDTH + ROOM)]


def _missed_text(series: Series) -> str:
    percent = missed(series)
    return "" if percent is None else f"{percent} %: {MISSED}"


def _values(series: Series, fill: str, scale: Scale, width: int) -> list[dict[str, Any]]:
    """A value for each dot, each text and what was missed."""
    lane: dict[str, Any] = {
        "series": series.label,
        "name": shortened(series.label, NAME_CHARACTERS),
        "fill": fill,
    }
    found = reached(series)
    dots: list[dict[str, Any]] = [
        {"seconds": seconds, "target": f"{percent} %", "time_text": format_seconds(seconds)}
        for percent, seconds in found
    ]
    texts = [
        {"text": text.text, "pixel": text.middle(scale, width)}
        for text in texts_of(found, scale, width)
    ]
    return [lane | value for value in (*dots, *texts, {"missed": _missed_text(series)})]


def _marks(base: "alt.Chart", x: "alt.X", width: int, layout: ChartLayout) -> "list[alt.Chart]":
    import altair as alt

    down = marks_down(layout) + 6
    fill = alt.Color("fill:N", scale=None)
    facts = {"series": "model", "target": "validation accuracy", "time_text": "reached after"}
    dots = base.transform_filter("isValid(datum.seconds)")
    line = dots.mark_line(strokeWidth=1.5, opacity=0.5, yOffset=down)
    points = dots.mark_point(size=80, filled=True, opacity=1, shape="circle", yOffset=down)
    text = base.transform_filter("isValid(datum.text)")
    label = {"x": alt.value(0), "text": "text:N"}
    lost = base.transform_filter("isValid(datum.missed)")
    lost = lost.mark_text(align="right", baseline="middle", dy=down, color=variable("--quiet"))
    return [
        line.encode(x=x, color=fill, detail="series:N"),
        points.encode(
            x=x,
            color=fill,
            tooltip=tooltip(facts),
        ),
        *readable(text, label, dy=down - ABOVE, xOffset=alt.expr("datum.pixel")),
        lost.encode(x=alt.value(width), text="missed:N"),
    ]
