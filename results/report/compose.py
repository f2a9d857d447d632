"""Puts a report together: the table, the charts by section, and where the numbers come from."""

from collections.abc import Sequence
from pathlib import Path

from results.columns import Column, failure_text, model_column, value_columns
from results.footer import footer_lines
from results.report.cost import cost_figures
from results.report.figure import names_of
from results.report.material import Material, Series, gather
from results.report.page import Cell, Page, Section, Table, render_page

TITLE = "Fashion-MNIST: which model, at what price, how sure"
EXPLANATIONS = {  # of headings, for whoever points at them
    "accuracy %": "on the test images, mean over the seeds; ± the 95 % interval of the mean",
    "loss": "cross-entropy on the test images",
    "train time": "permutation, augmentation and every step; nothing else",
    "images/s": "training images a second",
    "memory": "peak of training",
    "params": "parameters",
    "to 90 %": "training time until validation accuracy first reached 90 %",
    "acc/s": "accuracy a second of training; flatters tiny models",
    "epoch time": "seconds of an epoch of training",
    "of floor": "share of the speed that this machine's ceilings would allow, and what binds",
}


def write_report(folders: Sequence[Path], out: Path, *, mixed: bool = False) -> Path:
    """Writes the report of run folders to one HTML file.

    Raises:
        RecordError: A folder has no records, or the file cannot be written.
        NotComparable: The records must not stand side by side, and `mixed` does not allow it.
    """
    page = compose(gather(folders, mixed=mixed), out)
    out.write_text(render_page(page), encoding="utf-8")
    return out


def compose(material: Material, out: Path) -> Page:
    """The content of the page; links are relative to where it is written."""
    summaries = [series.summary for series in material.series]
    return Page(
        title=TITLE,
        answer=(),
        table=comparison_table(material.series),
        notes=(*footer_lines(summaries), *material.remarks),
        sections=tuple(sections(material)),
        facts=(),
        records=Table((), ()),
        footer="",
    )


def sections(material: Material) -> list[Section]:
    """The parts with charts; those without any data are left out."""
    names = tuple(names_of(material.finished))
    found = [
        Section(
            "cost",
            "What accuracy costs",
            "Each model at what it cost; where it may be had for less, the line passes above it.",
            tuple(cost_figures(material)),
            "shown",
            names,
            names,
        )
    ]
    return [section for section in found if section.figures or section.pictures]


def comparison_table(series: Sequence[Series]) -> Table:
    """The table of `fmnist-bench table` with all of its columns."""
    rows = [one.row for one in series]
    columns = [model_column(rows), *value_columns(rows)]
    headers = tuple(
        (column.header, EXPLANATIONS.get(column.header, column.header), column.align == "right")
        for column in columns
    )
    return Table(
        headers,
        tuple((one.label, _cells(columns, k, one)) for k, one in enumerate(series)),
    )


def _cells(columns: Sequence[Column], index: int, series: Series) -> tuple[Cell, ...]:
    names, *rest = columns
    first = Cell(names.cells[index], names.cells[index])
    if not series.is_ok:
        blank = [Cell("", None) for _ in rest[:-1]]
        return (first, *blank, Cell(failure_text(series.row), failure_text(series.row)))
    return (
        first,
        *(
            Cell(column.cells[index].strip(), column.cells[index], column.is_best[index])
            for column in rest
        ),
    )
