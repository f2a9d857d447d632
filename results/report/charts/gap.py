"""Learnt or memorised: accuracy on the training images beside that on the test images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

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
from results.report.charts.scales import linear_scale, with_room
from results.report.charts.theme import CHARACTER_WIDTH, ChartLayout, series_colours, variable
from results.report.material import Material, Series
from results.text import shortened

if TYPE_CHECKING:
    import altair as alt

ROOM = 20.0  # pixels between the last mark and the text of the gap


class Gap(NamedTuple):
    """A model's two accuracies in percent."""

    series: Series
    train: float
    test: float

    @property
    def points(self) -> float:
        """By how many percentage points training images are classified better."""
        return self.train - self.test

    @property
    def text(self) -> str:
        """The gap with its sign."""
        rounded = round(self.points, 1)
        text = f"{rounded:+.1f}" if rounded else "0.0"
        return f"{text} points".replace("-", "\N{MINUS SIGN}")


def gap_figures(material: Material) -> list[ReportFigure]:
    """A figure of the models of which both accuracies are known, least gap first."""
    gaps = sorted(_gaps(material), key=lambda gap: gap.points)
    if not gaps:
        return []
    names = names_of([gap.series for gap in gaps])
    caption = (
        "Dot: accuracy on the test images, which the model has never seen; ring: on the training "
        "images. The wider the gap, the more it has memorised; the least stands on top."
    )
    caption += unknown_for("at chance, or unknown", names_of(material.finished), names)
    figure = draw(
        "gap-accuracy",
        "Accuracy on training and on test images",
        caption,
        lambda layout: _chart(gaps, len(material.names), layout),
    )
    return [figure]


def _gaps(material: Material) -> list[Gap]:
    found = []
    for series in material.finished:
        train, test = series.row["train_accuracy"], series.row["test_accuracy"]
        if series.has_learnt and train is not None and test is not None:
            found.append(Gap(series, train * 100, test * 100))
    return found


def _chart(gaps: Sequence[Gap], num_colours: int, layout: ChartLayout) -> "alt.TopLevelMixin":
    import altair as alt

    names = names_of([gap.series for gap in gaps])
    width = lane_width(names, layout)
    ruled = linear_scale([end for gap in gaps for end in (gap.train, gap.test)], 0.0, 100.0)
    room = max(len(gap.text) for gap in gaps) * CHARACTER_WIDTH + ROOM
    scale = with_room(ruled, [(max(max(gap.train, gap.test) for gap in gaps), room)], width)
    x = alt.X(
        "test:Q",
        title="accuracy (%): ● test images, ○ training images",
        scale=alt.Scale(domain=[scale.low, scale.high], nice=False, zero=False),
        axis=ruled_axis(ruled, scale, width),
    )
    colours = series_colours(num_colours)
    values = [_value(gap, colours[gap.series.index]) for gap in gaps]
    base = alt.Chart(alt.Data(values=values), width=width)
    base = base.transform_filter(IS_SHOWN).encode(y=lane_axis(names, layout))
    layers = [*_marks(base, x, width, layout), *lane_names(base, layout, marks_down(layout) + 3)]
    chart = alt.layer(*layers).properties(height=lane_height(layout, 34))
    return chart.add_params(shown_parameter(names))


def _value(gap: Gap, fill: str) -> dict[str, Any]:
    return {
        "series": gap.series.label,
        "name": shortened(gap.series.label, NAME_CHARACTERS),
        "train": gap.train,
        "test": gap.test,
        "text": gap.text,
        "fill": fill,
        "train_text": f"{gap.train:.2f} %",
        "test_text": f"{gap.test:.2f} %",
        "seeds": str(gap.series.row["n_seeds"]),
    }


def _marks(base: "alt.Chart", x: "alt.X", width: int, layout: ChartLayout) -> "list[alt.Chart]":
    import altair as alt

    down = marks_down(layout)
    fill = alt.Color("fill:N", scale=None)
    titles = {
        "series": "model",
        "train_text": "on training images",
        "test_text": "on test images",
        "text": "gap",
        "seeds": "seeds",
    }
    facts = tooltip(titles)
    line = base.mark_rule(strokeWidth=3, opacity=0.5, yOffset=down)
    ring = base.mark_point(
        size=100, filled=True, fill=variable("--page"), strokeWidth=2, opacity=1, yOffset=down
    )
    dot = base.mark_point(size=110, filled=True, opacity=1, yOffset=down)
    text = {"x": alt.value(width), "text": "text:N", "tooltip": facts}
    return [
        line.encode(x=x, x2="train:Q", color=fill),
        ring.encode(x=alt.X("train:Q"), stroke=fill, tooltip=facts),
        dot.encode(x=x, color=fill, tooltip=facts),
        *readable(base, text, align="right", dy=down),
    ]
