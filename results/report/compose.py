"""Puts a report together: the table, the charts by section, and where the numbers come from."""

import json
from pathlib import Path

from results.choice.choose import TO_TARGET, Objective, choose
from results.choice.text import choice_headline, reason
from results.errors import ResultsError
from results.render.footer import footer_lines
from results.report.charts.figure import CHOSEN, SHOWN, ReportFigure, Specification
from results.report.charts.theme import WIDE, in_light, variable
from results.report.material import Material
from results.report.page import Page, Section, render_page
from results.report.sections import sections
from results.report.tables import comparison_table, count_records, facts, records_table

TITLE = "Fashion-MNIST: which model, at what price, how sure"
PICTURE_FORMATS = ("svg", "png")
PIXEL_RATIO = 2.0  # of a PNG


def compose(material: Material, out: Path) -> Page:
    """The content of the page; links are relative to where it is written."""
    summaries = [series.summary for series in material.series]
    rows = [dict(series.row) for series in material.series]
    return Page(
        title=TITLE,
        answer=answer(material),
        table=comparison_table(material.series),
        notes=(*footer_lines(summaries, rows=rows), *material.remarks),
        sections=tuple(sections(material)),
        facts=facts(material),
        records=records_table(material, out),
        footer=f"Made by fmnist-bench from {count_records(material)}.",
    )


def answer(material: Material) -> tuple[str, ...]:
    """What `fmnist-bench choose` says of the same records: by accuracy, and by time to 90 %."""
    records = [record for one in material.series for record in one.summary.records]
    if not records:
        return ()
    headline = choice_headline(choose(records))
    soonest = choose(records, objective=Objective(TO_TARGET))
    quick = f"soonest at 90 % on validation: {reason(soonest)}" if soonest.recommended else None
    return (*headline, *([quick] if quick else []))


def write_report(page: Page, out: Path) -> int:
    """Writes a page to one HTML file and gives its size in bytes.

    Raises:
        ResultsError: The file cannot be written.
    """
    text = render_page(page).encode("utf-8")
    _write(out, text)
    return len(text)


def write_figures(page: Page, folder: Path, fmt: str = "svg") -> list[Path]:
    """Writes every chart of a page as a picture for documents, from the same specifications.

    Raises:
        ResultsError: There is no such format, or the folder cannot be written.
    """
    check_format(fmt)
    paths = []
    for section in page.sections:
        for figure in section.figures:
            paths.append(folder / f"{figure.key}.{fmt}")
            _write(paths[-1], picture(figure, section, fmt))
    return paths


def check_format(fmt: str) -> None:
    """Refuses a format of pictures that there is not.

    Raises:
        ResultsError: With the choices.
    """
    if fmt not in PICTURE_FORMATS:
        choices = ", ".join(PICTURE_FORMATS)
        raise ResultsError(f"unknown figure format {fmt!r}; choose from {choices}")


def picture(figure: ReportFigure, section: Section, fmt: str) -> bytes:
    """A chart for a document: the wide layout in light colours, its title over it.

    It shows what the page shows at first; where that is one model, the title names it.
    """
    import vl_convert

    specification = in_light(json.dumps(_titled(figure, section)))
    if fmt == "svg":
        return vl_convert.vegalite_to_svg(specification).encode("utf-8")
    return vl_convert.vegalite_to_png(specification, scale=PIXEL_RATIO)


def _titled(figure: ReportFigure, section: Section) -> Specification:
    specification = dict(figure.specifications[WIDE.name])
    is_of_one = section.picks == CHOSEN and section.picked
    title = f"{figure.title}: {section.picked[0]}" if is_of_one else figure.title
    first = {CHOSEN: section.picked[0] if section.picked else None, SHOWN: list(section.picked)}
    specification["params"] = [
        parameter | {"value": first[parameter["name"]]}
        if parameter["name"] == section.picks
        else parameter
        for parameter in specification.get("params", [])
    ]
    heading = {"text": title, "anchor": "start"}
    if "title" in specification:  # what the chart itself says over it
        heading["subtitle"] = specification["title"]["text"]
    return specification | {"title": heading, "background": variable("--page")}


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise ResultsError(f"cannot write {path}: {error.strerror}") from None
