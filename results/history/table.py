"""The history as text: the same columns for a terminal and for documents."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from results.render.columns import (
    UNKNOWN,
    Column,
    Row,
    accuracy_column,
    cells,
    failure_text,
    identity_columns,
    model_column,
    number_column,
    remarks_column,
    text_column,
)
from results.render.footer import comparability_warning, flag_lines, ground_lines
from results.render.lines import Lines, Piece
from results.render.table import GAP, MIN_WIDTH, column_width, fitting, shortened
from results.rows.summary import Summary
from results.text import cut, format_bytes, format_count, one_line, printable, three_digits

if TYPE_CHECKING:
    from rich.console import RenderableType

NOISE_MARK = "~"  # survives where dim does not: pipes, CI logs
NOTE = (
    "change and ratios: against the row above of the same model. "
    f"{NOISE_MARK}: chance may have made it (95 % intervals over seeds overlap, or one seed)."
)
_RANKS = (  # a narrow table shows the first of them, in their order in the table
    "commit",
    "budget",
    "target",
    "recipe",
    "precision",
    "date",
    "accuracy %",
    "change",
    "n",
    "images/s",
    "images/s ratio",
    "memory",
    "memory ratio",
    "plan",
    "device",
    "remarks",
)


def history_columns(rows: Sequence[Row]) -> list[Column]:
    """The model and all columns that say anything about these rows, in their order."""
    columns = [
        model_column(rows),
        *identity_columns(rows, "commit"),
        text_column("date", cells(rows, "commit_time_utc", lambda time: time[:10])),
        number_column("n", cells(rows, "n_seeds", str)),
        replace(accuracy_column(rows), is_best=(False,) * len(rows)),  # in a history nothing is
        number_column("change", [_change_text(row) for row in rows]),
        number_column("images/s", cells(rows, "images_per_s", format_count)),
        number_column("images/s ratio", [_ratio_text(row, "images_per_s_ratio") for row in rows]),
        number_column("memory", cells(rows, "peak_memory_bytes", format_bytes)),
        number_column("memory ratio", [_ratio_text(row, "peak_memory_ratio") for row in rows]),
        remarks_column(rows),
    ]
    return [column for column in columns if set(column.cells) - {"", UNKNOWN}]


def render_history(
    rows: Sequence[Row], *, width: int, title: str | None = None
) -> "RenderableType":
    """A rich renderable of the rows, a line each, no wider than `width` (but at least 40).

    The least important columns are left out until the rest fits. A failed row says why in place of
    its numbers.

    Args:
        rows: Rows of history_rows, in their order.
        width: Characters to use.
        title: A line above the table.
    """
    width = max(width, MIN_WIDTH)
    heading = [[Piece(title, "bold")]] if title else []
    if not rows:
        return Lines([*heading, [Piece("no records")]])
    names, *columns = history_columns(rows)
    names = shortened(names, width)
    ranked = sorted(columns, key=lambda column: _RANKS.index(column.header))
    fits = fitting(ranked, column_width(names), width)
    return Lines([*heading, *_lines(rows, [names, *(c for c in columns if c in fits)], width)])


def history_footer_lines(summaries: Sequence[Summary]) -> list[str]:
    """What a reader must know beside the history, a fact a line, warnings first."""
    if not summaries:
        return []
    records = [record for summary in summaries for record in summary.records]
    lines = [
        comparability_warning(records),
        *flag_lines(summaries),
        NOTE,
        *ground_lines(summaries),
    ]
    return [one_line(line) for line in lines if line]


def _change_text(row: Row) -> str:
    if row["not_comparable"]:
        return f"not comparable: {row['not_comparable']}"
    change = row["test_accuracy_change"]
    return UNKNOWN if change is None else _marked(row, "test_accuracy_change", f"{change:+.2%}")


def _ratio_text(row: Row, key: str) -> str:
    ratio = row[key]
    if ratio is None:
        return UNKNOWN
    return _marked(row, key, f"{ratio:.2f}" if ratio < 9.995 else three_digits(ratio))


def _marked(row: Row, key: str, text: str) -> str:
    text = text.removesuffix("%")  # points, not percent
    return f"{NOISE_MARK}{text}" if key in row["within_noise"] else text


def _lines(rows: Sequence[Row], columns: Sequence[Column], width: int) -> list[list[Piece]]:
    """Header, rule and rows; widths are taken once, so that time grows with the rows alone."""
    widths = [column_width(column) for column in columns]
    padded = [
        [cell.ljust(size) if column.align == "left" else cell.rjust(size) for cell in cells]
        for column, size in zip(columns, widths, strict=True)
        for cells in [[column.header, *map(printable, column.cells)]]
    ]
    header, *lines = zip(*padded, strict=True)
    rule = "─" * min(sum(widths) + GAP * (len(widths) - 1), width)
    place = next((n for n, column in enumerate(columns) if column.header == "accuracy %"), 1)
    body = [
        _row_line(cells) if row["status"] == "ok" else _failed_line(row, cells[:place], width)
        for row, cells in zip(rows, lines, strict=True)
    ]
    return [[Piece((" " * GAP).join(header).rstrip(), "bold")], [Piece(rule)], *body]


def _row_line(cells: Sequence[str]) -> list[Piece]:
    """The cells of a row: what chance may have made is dim."""
    pieces = [Piece(cells[0])]
    for cell in cells[1:]:
        pieces += [Piece(" " * GAP), Piece(cell, "dim" if NOISE_MARK in cell else "")]
    while not pieces[-1].text.strip():
        pieces.pop()
    return [*pieces[:-1], pieces[-1]._replace(text=pieces[-1].text.rstrip())]


def _failed_line(row: Row, cells: Sequence[str], width: int) -> list[Piece]:
    """What identifies the row, then its status and reason in place of the numbers."""
    start = "".join(cell + " " * GAP for cell in cells)
    return [Piece(start), Piece(cut(failure_text(row), max(width - len(start), 1)), "red")]
