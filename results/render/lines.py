"""Tables as lines of text, laid out beforehand: rich is left nothing to squeeze."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.render.columns import Column
from results.render.table import BEST_MARK, GAP, aligned, column_width

if TYPE_CHECKING:
    from rich.text import Text


def header_line(names: Column, columns: Sequence[Column]) -> "Text":
    """The headers, those of numbers on the right of their columns."""
    from rich.text import Text

    cells = [aligned(column.header, column).ljust(column_width(column)) for column in columns]
    line = (" " * GAP).join([names.header.ljust(column_width(names)), *cells])
    return Text(line.rstrip(), style="bold", no_wrap=True)


def rule_line(names: Column, columns: Sequence[Column], width: int) -> "Text":
    """A rule as long as the table, at most `width` characters."""
    from rich.text import Text

    length = column_width(names) + sum(GAP + column_width(column) for column in columns)
    return Text("─" * min(length, width), no_wrap=True)


def row_line(
    names: Column, columns: Sequence[Column], index: int, failure: str | None = None
) -> "Text":
    """One row, its best values marked; a failure stands in place of all its numbers."""
    from rich.text import Text

    line = Text(names.cells[index].ljust(column_width(names)), no_wrap=True, overflow="ellipsis")
    if failure is not None:
        return line.append(" " * GAP).append(failure, style="red")
    for column in columns:
        is_best = column.is_best[index]
        text = column.cells[index] + (BEST_MARK if is_best else "")
        cell = aligned(text, column, is_marked=is_best).ljust(column_width(column))
        line.append(" " * GAP).append(cell, style="bold" if is_best else "")
    line.rstrip()
    return line
