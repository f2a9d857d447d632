"""What the tests of the report's charts share: material from records, and what a chart holds."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results import RunRecord
from results.report.charts.figure import ReportFigure
from results.report.charts.theme import in_light
from results.report.material import Material, gather

TABLES = Path(__file__).parents[3] / "results" / "tables"


def make_material(records: Sequence[RunRecord], folder: Path) -> Material:
    """As a run folder with these records would be read."""
    file = folder / "records.jsonl"
    file.write_bytes(b"".join(record.to_json_line() for record in records))
    return gather([file], mixed=True)


def values_of(figure: ReportFigure, field: str, layout: str = "wide") -> dict[str, Any]:
    """Series to what a field holds in the chart's data; the first of several values."""
    found: dict[str, Any] = {}
    for row in rows_of(figure, layout):
        if row.get(field) is not None:
            found.setdefault(row["series"], row[field])
    return found


def rows_of(figure: ReportFigure, layout: str = "wide") -> list[dict[str, Any]]:
    """The rows of all data of a chart that belong to a series."""
    return [row for row in _data(figure.specifications[layout]) if "series" in row]


def _data(part: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any part of a specification
    if isinstance(part, list):
        return [row for item in part for row in _data(item)]
    if not isinstance(part, dict):
        return []
    own = part["data"].get("values", []) if "data" in part else []
    return [*own, *(row for key, item in part.items() if key != "data" for row in _data(item))]


def check_figures(figures: Sequence[ReportFigure]) -> None:
    """Both layouts compile, hold plain finite JSON and name the unit of every axis that counts."""
    import vl_convert

    for figure in figures:
        for specification in figure.specifications.values():
            text = json.dumps(specification, allow_nan=False)
            assert vl_convert.vegalite_to_vega(in_light(text))["marks"]
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
