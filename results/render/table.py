"""The table for the terminal: as many columns as fit, best values marked, failures in place."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.render.columns import Column, Row, failure_text, model_column, value_columns
from results.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

BEST_MARK = "*"  # survives where bold does not: pipes, CI logs
GAP = 2  # characters between columns
MIN_WIDTH = 40


def render_table(
    rows: Sequence[Row], *, width: int, by: str = "model", title: str | None = None
) -> "RenderableType":
    """A rich renderable of the rows, no wider than `width` characters (but at least 40).

    The least important columns are left out until the rest fits; nothing is squeezed. Failed rows
    stand below the others, their status and reason in place of numbers.

    Args:
        rows: Table rows, sorted.
        width: Characters to use.
        by: What rows are told apart by: model, commit or plan.
        title: A line above the table.
    """
    from rich.console import Group  # csv and json need no rich
    from rich.text import Text

    width = max(width, MIN_WIDTH)
    heading = [Text(title, style="bold")] if title else []
    if not rows:
        return Group(*heading, Text("no records"))
    succeeded = [row for row in rows if row["status"] == "ok"]
    names = shortened(model_column(rows), width)
    tables = [_numbers(names, succeeded, width, by)] if succeeded else []
    failed = [row for row in rows if row["status"] != "ok"]
    return Group(*heading, *tables, *([_failures(names, failed, width)] if failed else []))


def fitting(columns: Sequence[Column], name_width: int, width: int) -> list[Column]:
    """The first of the columns that fit beside the names, at least one."""
    used = name_width
    shown: list[Column] = []
    for column in columns:
        used += GAP + column_width(column)
        if used > width and shown:
            break
        shown.append(column)
    return shown


def _numbers(names: Column, rows: Sequence[Row], width: int, by: str) -> "Table":
    from rich.text import Text  # a plain string would be read as markup

    name_width = column_width(names)
    table = _grid(name_width, header="model")
    columns = fitting(value_columns(rows, by), name_width, width)
    for column in columns:
        cells = min(column_width(column), width - name_width - GAP)
        table.add_column(aligned(column.header, column), no_wrap=True, min_width=cells)
    for index, row in enumerate(rows):
        table.add_row(Text(printable(row["model"])), *(_cell(column, index) for column in columns))
    return table


def _failures(names: Column, rows: Sequence[Row], width: int) -> "Table":
    from rich.text import Text

    table = _grid(column_width(names))
    table.add_column(
        "", no_wrap=True, overflow="ellipsis", max_width=width - column_width(names) - GAP
    )
    for row in rows:
        table.add_row(Text(printable(row["model"])), Text(failure_text(row), style="red"))
    return table


def _grid(name_width: int, header: str = "") -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        show_header=bool(header),
        show_edge=False,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),
        header_style="bold",
    )
    table.add_column(
        header, no_wrap=True, overflow="ellipsis", min_width=name_width, max_width=name_width
    )
    return table


def _cell(column: Column, index: int) -> "RenderableType":
    from rich.text import Text

    is_best = column.is_best[index]
    text = column.cells[index] + (BEST_MARK if is_best else "")
    return Text(aligned(text, column, is_marked=is_best), style="bold" if is_best else "")


def aligned(text: str, column: Column, *, is_marked: bool = False) -> str:
    """The text at its place in a column, with room for the mark of the best."""
    # Not rich's own alignment: it drops the blanks that keep decimal points in line.
    if column.align == "left":
        return text
    room = " " if any(column.is_best) and not is_marked else ""
    return (text + room).rjust(column_width(column))


def column_width(column: Column) -> int:
    """Characters that a column takes."""
    from rich.cells import cell_len

    room = 1 if any(column.is_best) else 0
    texts = {column.header, *column.cells}
    return max(len(text) if text.isascii() else cell_len(text) for text in texts) + room


def shortened(names: Column, width: int) -> Column:
    """Names of at most a third of the width."""
    # A path to a user's model must not push the numbers out.
    longest = max(12, width // 3)
    cells = tuple(name[:longest] for name in names.cells)
    return Column(names.header, cells, names.is_best, names.align)
