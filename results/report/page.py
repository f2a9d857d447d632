"""The page: one HTML file with everything in it, that asks the network for nothing."""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from results.report.charts.figure import ReportFigure
from results.report.charts.theme import DARK, LIGHT, WIDE, config, style_variables
from results.text import one_line

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes:
        key: Its anchor.
        title: Its heading.
        lead: A sentence that says what it answers.
        figures: Its charts; several stand behind tabs.
        picks: What the reader picks for its charts: `shown` (any of the series) or `chosen` (one);
            empty where there is nothing to pick.
        names: The series that may be picked.
        picked: Those that are at first.
        pictures: HTML below the charts for each name that may be chosen; made by `pictures.py`.
    """

    key: str
    title: str
    lead: str
    figures: tuple[ReportFigure, ...] = ()
    picks: str = ""
    names: tuple[str, ...] = ()
    picked: tuple[str, ...] = ()
    pictures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What the template fills in; every text is escaped there.

    Attributes:
        title: Of the page.
        answer: The sentences at the top.
        table: Headers and cells of the table.
        notes: The lines below the table.
        sections: The parts with charts.
        facts: Name and value of what all runs share.
        records: Cells of the list of records.
        footer: When and by which version the page was made.
    """

    title: str
    answer: tuple[str, ...]
    table: "Table"
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...]
    records: "Table"
    footer: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: what is read, and what it is sorted by.

    Attributes:
        text: What is read.
        key: What it is sorted by; None comes last, whatever the direction.
        is_best: Whether it is the best of its column.
        link: Where it leads, relative to the page.
    """

    text: str
    key: float | str | None = None
    is_best: bool = False
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be sorted.

    Attributes:
        headers: Name, explanation and whether it holds numbers, of each column.
        rows: The name of the series that a row belongs to, and its cells.
    """

    headers: tuple[tuple[str, str, bool], ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def render_page(page: Page, libraries: str | None = None) -> str:
    """The page as HTML; `libraries` are those of `chart_libraries`, made where they are None."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["one_line"] = one_line
    return environment.get_template("page.html").render(
        page=page,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
        libraries=libraries or chart_libraries(),
        charts=script_json(_charts(page.sections)),
        light=style_variables(LIGHT),
        dark=style_variables(DARK),
        narrow_below=WIDE.width + 110,  # room for the axis beside the plot area
    )


@cache
def chart_libraries() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, from the copies inside vl-convert."""
    import vl_convert

    bundle = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    if "</script" in bundle.lower():  # it would end the element that it stands in
        raise AssertionError("the chart libraries hold a closing script tag")
    return bundle


def script_json(value: object) -> str:
    """JSON that may stand inside a script element, whatever strings it holds."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _charts(sections: Sequence[Section]) -> dict[str, Any]:
    figures = [figure for section in sections for figure in section.figures]
    drawn = {one.key: one.specifications | {"datasets": one.datasets} for one in figures}
    return {"config": config(), "figures": drawn}


def escaped(text: str) -> str:
    """Text as HTML, on one line."""
    return html.escape(one_line(text), quote=True)
