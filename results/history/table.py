"""The history as text: the same columns for a terminal and for documents."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from results.render.columns import (
    UNKNOWN,
    Column,
    Row,
    accuracy_column,
    failure_text,
    identity_columns,
    model_column,
    remarks_column,
    text_column,
)
from results.render.footer import (
    comparability_warning,
    flag_lines,
    ground_lines,
)
from results.render.lines import Lines, Piece
from results.render.table import GAP, MIN_WIDTH, column_width, shortened
from results.rows.summary import Summary
from results.text import format_bytes, format_count, one_line, three_digits

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
    accuracy = accuracy_column(rows)
    columns = [
        model_column(rows),
        *identity_columns(rows, "commit"),
        text_column("date", [(row["commit_time_utc"] or UNKNOWN)[:10] for row in rows]),
        _numbers("n", [str(row["n_seeds"]) for row in rows]),
        replace(accuracy, is_best=(False,) * len(rows)),  # nothing is best in a history
        _numbers("change", [_change_text(row) for row in rows]),
        *_with_ratio("images/s", "images_per_s", "images_per_s_ratio", format_count, rows),
        *_with_ratio("memory", "peak_memory_bytes", "peak_memory_ratio", format_bytes, rows),
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
    names, *columns = [_printable(column) for column in history_columns(rows)]
    names = shortened(names, width)
    shown = [names, *_fitting(columns, column_width(names), width)]
    return Lines([*heading, *_lines(rows, shown, width)])


def history_footer_lines(summaries: Sequence[Summary]) -> list[str]:
    """What a reader must know beside the history, a fact a line."""
    if not summaries:
        return []
    records = [record for summary in summaries for record in summary.records]
    lines = [
        comparability_warning(records),
        *flag_lines(summaries),
        *ground_lines(summaries),
        NOTE,
    ]
    return [one_line(line) for line in lines if line]


def _numbers(header: str, cells: Sequence[str]) -> Column:
    return Column(header, tuple(cells), (False,) * len(cells))


def _with_ratio(
    header: str, key: str, ratio: str, text: Callable[[float], str], rows: Sequence[Row]
) -> list[Column]:
    values = [UNKNOWN if row[key] is None else text(row[key]) for row in rows]
    return [
        _numbers(header, values),
        _numbers(f"{header} ratio", [_ratio_text(row, ratio) for row in rows]),
    ]


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


def _printable(column: Column) -> Column:
    """The column without what would steer a terminal: names and flags come from files."""
    cells = tuple(cell if cell.isprintable() else one_line(cell) for cell in column.cells)
    return replace(column, cells=cells)


def _fitting(columns: Sequence[Column], used: int, width: int) -> list[Column]:
    """The most important of the columns that fit beside the names, at least one."""
    shown: set[str] = set()
    for column in sorted(columns, key=lambda column: _RANKS.index(column.header)):
        used += GAP + column_width(column)
        if used > width and shown:
            break
        shown.add(column.header)
    return [column for column in columns if column.header in shown]


def _lines(rows: Sequence[Row], columns: Sequence[Column], width: int) -> list[list[Piece]]:
    """Header, rule and rows; widths are taken once, so that time grows with the rows alone."""
    widths = [column_width(column) for column in columns]
    padded = [_padded(column, size) for column, size in zip(columns, widths, strict=True)]
    header = (" " * GAP).join(cells[0] for cells in padded).rstrip()
    rule = "─" * min(sum(widths) + GAP * (len(widths) - 1), width)
    place = next((n for n, column in enumerate(columns) if column.header == "accuracy %"), 1)
    lines = zip(*(cells[1:] for cells in padded), strict=True)
    body = [
        _row_line(cells) if row["status"] == "ok" else _failed_line(row, cells[:place], width)
        for row, cells in zip(rows, lines, strict=True)
    ]
    return [[Piece(header, "bold")], [Piece(rule)], *body]


def _padded(column: Column, width: int) -> list[str]:
    texts = (column.header, *column.cells)
    if column.align == "left":
        return [text.ljust(width) for text in texts]
    return [text.rjust(width) for text in texts]


def _row_line(cells: Sequence[str]) -> list[Piece]:
    """The cells of a row: what chance may have made is dim."""
    gap = " " * GAP
    pieces: list[Piece] = []
    plain = [*cells[:1]]
    for cell in cells[1:]:
        plain.append(cell)
        if NOISE_MARK in cell:
            plain.pop()
            pieces += [Piece(gap.join([*plain, ""])), Piece(cell, "dim")]
            plain = [""]
    return [*pieces, Piece(gap.join(plain).rstrip())]


def _failed_line(row: Row, cells: Sequence[str], width: int) -> list[Piece]:
    """What identifies the row, then its status and reason in place of the numbers."""
    start = (" " * GAP).join(cells) + " " * GAP
    text = one_line(failure_text(row))
    room = max(width - len(start), 1)
    return [Piece(start), Piece(text if len(text) <= room else text[: room - 1] + "…", "red")]
