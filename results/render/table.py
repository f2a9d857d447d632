"""Tables for a terminal: as many columns as fit, best values marked, failures in place.

Lines are laid out here, so that rich is left nothing to squeeze: it draws colours. Every table of
the product is made of `table_lines`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from results.render.columns import (
    Column,
    Row,
    failure_text,
    model_column,
    setting_columns,
    value_columns,
)
from results.rows.settings import settings_in
from results.text import cut, short_names

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

BEST_MARK = "*"  # survives where bold does not: pipes, CI logs
NOISE_MARK = "~"  # before a number that chance may have made
GAP = 2  # characters between columns
MIN_WIDTH = 40
LEAST_NAME = 12  # characters of a name, however narrow the screen


def render_table(
    rows: Sequence[Row], *, width: int, by: str = "model", title: str | None = None
) -> "Group":
    """A rich renderable of the rows, no wider than `width` characters (but at least 40).

    The least important columns are left out until the rest fits; nothing is squeezed. Failed rows
    stand below the others, their status and reason in place of numbers.
    """
    width = max(width, MIN_WIDTH)
    succeeded = [row for row in rows if row["status"] == "ok"]
    failed = [row for row in rows if row["status"] != "ok"]
    names = short_column(model_column([*succeeded, *failed]), width)
    columns = value_columns(succeeded, by, failed) if succeeded else setting_columns(failed, by)
    columns = fitting(columns, names, width) if columns else []
    failures = [*[None] * len(succeeded), *map(failure_text, failed)]
    num_identifying = 1 + min(len(columns), len(settings_in(rows[0])) if rows else 0)
    return titled(title, table_lines([names, *columns], width, failures, num_identifying))


def titled(title: str | None, lines: "Sequence[Text]") -> "Group":
    """The lines of a table below its title, or a line that there are none."""
    from rich.console import Group  # csv and json need no rich
    from rich.text import Text

    heading = [Text(title, style="bold")] if title else []
    return Group(*heading, *(lines or [Text("no records")]))


def table_lines(
    columns: Sequence[Column],
    width: int,
    failures: Sequence[str | None] = (),
    num_identifying: int = 1,
) -> "list[Text]":
    """Header, rule and a line a row, best values marked and those of chance dim; none of no rows.

    Columns may end after the rows that did not fail: a row with a text in `failures` keeps only
    the first num_identifying of them, and the text stands in place of its numbers.
    """
    from rich.text import Text

    num_rows = len(columns[0].cells)
    cells = [_cells(column) for column in columns]  # widths are taken once: rows may be thousands
    lines = []
    for row in range(1, num_rows + 1):
        failure = failures[row - 1] if failures else None
        if failure is None:
            lines.append(_joined([column[row] for column in cells]))
        else:
            start = "".join(f"{column[row][0]}{' ' * GAP}" for column in cells[:num_identifying])
            line = Text(start, no_wrap=True)
            lines.append(line.append(cut(failure, max(width - _length(start), 1)), style="red"))
    if len(columns) == 1 or not lines:  # failures alone have no headers
        return lines
    header = _joined([column[0] for column in cells])
    header.stylize("bold")
    length = sum(GAP + _length(column[0][0]) for column in cells) - GAP
    return [header, Text("─" * min(length, width), no_wrap=True), *lines]


def fitting(columns: Sequence[Column], names: Column, width: int) -> list[Column]:
    """The first of the columns that fit beside the names, at least one, cut where it must be."""
    used = column_width(names)
    shown: list[Column] = []
    for column in columns:
        room = width - used - GAP
        used += GAP + column_width(column)
        if used > width:
            if not shown:
                shown.append(replace(column, cells=tuple(cut(cell, room) for cell in column.cells)))
            break
        shown.append(column)
    return shown


def short_column(names: Column, width: int) -> Column:
    """Names of at most a third of the width; those alike when cut keep what tells them apart.

    A path to a user's model must not push the numbers out.
    """
    most = max(LEAST_NAME, width // 3)
    short = short_names(list(dict.fromkeys(names.cells)), most)
    return replace(names, cells=tuple(short[name] for name in names.cells))


def column_width(column: Column) -> int:
    """Characters that a column takes, with room for the mark of the best."""
    return max(map(_length, {column.header, *column.cells})) + any(column.is_best)


def _cells(column: Column) -> list[tuple[str, str]]:
    """The header and the cells of a column at their place, each with its style."""
    # Not rich's own alignment: it drops the blanks that keep decimal points in line.
    width, has_best = column_width(column), any(column.is_best)
    cells = []
    for text, is_best in zip((column.header, *column.cells), (False, *column.is_best), strict=True):
        if column.align == "left":
            cells.append((text + " " * (width - _length(text)), ""))
            continue
        marked = text + (BEST_MARK if is_best else " " if has_best else "")
        style = "bold" if is_best else "dim" if text.startswith(NOISE_MARK) else ""
        cells.append((" " * (width - _length(marked)) + marked, style))
    return cells


def _joined(cells: Sequence[tuple[str, str]]) -> "Text":
    """The cells of a row with gaps between them, without blanks at its end."""
    from rich.text import Text

    text = (" " * GAP).join(cell for cell, _ in cells).rstrip()
    line, start = Text(text, no_wrap=True, overflow="ellipsis"), 0
    for cell, style in cells:
        if style:
            line.stylize(style, start, start + len(cell))
        start += len(cell) + GAP
    return line


def _length(text: str) -> int:
    """Cells of a terminal: a Chinese letter takes two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
