"""The page: one HTML file with everything in it, that asks the network for nothing."""

import html
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from results.report.charts.theme import DARK, LIGHT, WIDE, config, style_variables
from results.report.charts.vega import ReportFigure
from results.text import one_line

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page; several charts stand behind tabs."""

    key: str  # its anchor
    title: str
    lead: str  # a sentence that says what it answers
    figures: tuple[ReportFigure, ...] = ()
    picks: str = ""  # what a reader may pick: SHOWN, any of the series, CHOSEN, one, or nothing
    names: tuple[str, ...] = ()  # the series that may be picked
    picked: tuple[str, ...] = ()  # those that are at first
    pictures: tuple[tuple[str, str], ...] = ()  # HTML below the charts for each that may be chosen


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table."""

    text: str
    key: float | str | None = None  # what it is sorted by; None comes last in either direction
    is_best: bool = False  # of its column
    link: str | None = None  # relative to the page


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be sorted."""

    headers: tuple[tuple[str, str, bool], ...]  # name, explanation, whether it holds numbers
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]  # the series that a row belongs to, its cells


@dataclass(frozen=True, slots=True)
class Page:
    """What the template fills in; every text is put on one line and escaped there."""

    title: str
    answer: tuple[str, ...]  # sentences at the top
    table: Table
    notes: tuple[str, ...]  # lines below the table
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...]  # name and value of what all runs share
    records: Table
    footer: str  # when and from what the page was made


def render_page(page: Page, libraries: str | None = None) -> str:
    """The page as HTML; `libraries` are those of `chart_libraries`, made where they are None."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = [figure for section in page.sections for figure in section.figures]
    figures = {one.key: one.specifications | {"datasets": one.datasets} for one in drawn}
    return environment.get_template("page.html").render(
        page=page,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
        libraries=libraries or chart_libraries(),
        charts=script_json({"config": config(), "figures": figures}),
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


def _shown(value: object) -> object:
    """What stands in the page in place of a value; what is marked as safe is HTML already."""
    is_text = isinstance(value, str) and not hasattr(value, "__html__")
    return one_line(str(value)) if is_text else value


def escaped(text: str) -> str:
    """Text as HTML, on one line."""
    return html.escape(one_line(text), quote=True)
