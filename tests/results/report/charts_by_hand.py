"""What the tests of the report's charts share: material from records, and what a chart holds."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import vl_convert

from results import RunRecord
from results.report.charts.theme import LAYOUTS, config, in_light
from results.report.charts.vega import ReportFigure
from results.report.material import Material, gather

TABLES = Path(__file__).parents[3] / "results" / "tables"


def make_material(records: Sequence[RunRecord]) -> Material:
    """As a file of these records would be read; it has no samples."""
    with NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(b"".join(record.to_json_line() for record in records))
        file.flush()
        return gather([Path(file.name)], mixed=True)


def values_of(figure: ReportFigure, field: str) -> dict[str, Any]:
    """Series to what a field holds in the chart's data; the first of several values."""
    found: dict[str, Any] = {}
    for row in rows_of(figure):
        if row.get(field) is not None:
            found.setdefault(row["series"], row[field])
    return found


def rows_of(figure: ReportFigure) -> list[dict[str, Any]]:
    """The rows of a chart's data that belong to a series."""
    return figure.datasets["rows"]


def row_of(figure: ReportFigure, series: str) -> dict[str, Any]:
    """The row of one series."""
    return next(row for row in rows_of(figure) if row["series"] == series)


def whole(figure: ReportFigure, layout: str = "wide") -> dict[str, Any]:
    """The specification with its data, the colours those of the light page."""
    content = figure.specifications[layout] | {"datasets": figure.datasets, "config": config()}
    found: dict[str, Any] = json.loads(in_light(json.dumps(content, allow_nan=False)))
    return found


def svg_of(figure: ReportFigure, layout: str = "wide", **parameters: object) -> str:
    """The chart as it is drawn, with other values of its parameters."""
    content = whole(figure, layout)
    for each in content["params"]:
        each["value"] = parameters.get(each["name"], each["value"])
    return vl_convert.vegalite_to_svg(content)


def check_figures(figures: Sequence[ReportFigure]) -> None:
    """Both layouts compile and hold plain finite JSON; what is said of them is one line."""
    for figure in figures:
        assert list(figure.specifications) == [layout.name for layout in LAYOUTS]
        for layout in figure.specifications:
            assert vl_convert.vegalite_to_vega(whole(figure, layout))["marks"]
            assert "\n" not in figure.title + figure.caption


def axis_titles(figure: ReportFigure) -> set[str]:
    """The titles of both axes."""
    return set(_titles(figure.specifications["wide"]))


def _titles(part: Any) -> list[str]:  # noqa: ANN401 - any part of a specification
    if isinstance(part, list):
        return [title for item in part for title in _titles(item)]
    if not isinstance(part, dict):
        return []
    axes = [part["encoding"].get(axis, {}) for axis in ("x", "y")] if "encoding" in part else []
    own = [axis["title"] for axis in axes if axis.get("title")]
    return [*own, *(title for item in part.values() for title in _titles(item))]
