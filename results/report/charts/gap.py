"""Learnt or memorised: accuracy on the training images beside that on the test images."""

from typing import Any

from results.report.charts import vega
from results.report.charts.lanes import lanes, marks_down
from results.report.charts.theme import PAGE, ChartLayout, series_colour
from results.report.charts.vega import (
    ReportFigure,
    Rows,
    Specification,
    draw,
    names_of,
    unknown_for,
)
from results.report.material import Material, Series


def gap_figures(material: Material) -> list[ReportFigure]:
    """A figure of the models of which both accuracies are known, least gap first."""
    known = [
        one
        for one in material.finished
        if one.has_learnt and None not in (one.row["train_accuracy"], one.row["test_accuracy"])
    ]
    if not known:
        return []
    known.sort(key=lambda one: float(one.row["train_accuracy"] - one.row["test_accuracy"]))
    rows = [_row(one) for one in known]
    caption = (
        "Dot: accuracy on the test images, which the model has never seen; ring: on the training "
        "images. The wider the gap, the more it has memorised; the least stands on top."
    )
    caption += unknown_for("at chance, or unknown", names_of(material.finished), names_of(known))
    figure = draw(
        "gap-accuracy",
        "Accuracy on training and on test images",
        caption,
        lambda layout: _chart(rows, layout),
        rows=rows,
    )
    return [figure]


def _row(series: Series) -> dict[str, Any]:
    train, test = series.row["train_accuracy"] * 100, series.row["test_accuracy"] * 100
    gap = round(train - test, 1) or 0.0  # no minus before zero
    return {
        "series": series.label,
        "train": train,
        "test": test,
        "text": f"{gap:+.1f} points".replace("-", "\N{MINUS SIGN}") if gap else "0.0 points",
        "fill": series_colour(series.index),
        "train_text": f"{train:.2f} %",
        "test_text": f"{test:.2f} %",
        "seeds": str(series.row["n_seeds"]),
    }


def _chart(rows: Rows, layout: ChartLayout) -> Specification:
    down = marks_down(layout)
    title = "accuracy (%): ● test images, ○ training images"
    ends = [row[key] for row in rows for key in ("train", "test")]
    x = vega.quantity("test", title, ends, axis={"grid": not layout.is_narrow})
    fill = {"field": "fill", "type": "nominal", "scale": None}
    titles = {"train_text": "on training images", "test_text": "on test images", "text": "gap"}
    facts = vega.tooltip({"series": "model"} | titles | {"seeds": "seeds"})
    line = {"type": "rule", "strokeWidth": 3, "opacity": 0.5, "yOffset": down}
    ring = {"type": "point", "fill": PAGE, "strokeWidth": 2, "yOffset": down}
    layers = [
        vega.layer(line, {"x": x, "x2": {"field": "train"}, "color": fill}),
        vega.layer(ring, {"x": x | {"field": "train"}, "stroke": fill} | facts),
        vega.layer({"type": "point", "yOffset": down}, {"x": x, "color": fill} | facts),
    ]
    return lanes(rows, layers, layout)
