"""Tables as lines of text, laid out beforehand: rich is left nothing to squeeze."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from results.render.columns import Column
from results.render.table import BEST_MARK, GAP, aligned, column_width

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment
    from rich.text import Text


class Piece(NamedTuple):
    """A part of a line in one style of rich's."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines for rich to print as they are: tens of thousands of Texts would take it seconds."""

    lines: Sequence[Sequence[Piece]]

    def __rich_console__(self, console: "Console", _: "ConsoleOptions") -> Iterator["Segment"]:
        """The pieces of each line, and its end; plain lines that follow each other are one."""
        from rich.segment import Segment

        plain: list[str] = []
        for line in self.lines:
            for text, style in line:
                if not style:
                    plain.append(text)
                    continue
                yield Segment("".join(plain))
                yield Segment(text, console.get_style(style))
                plain.clear()
            plain.append("\n")
        yield Segment("".join(plain))


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
