"""Tables for a terminal: as many columns as fit, best values marked, failures in place.

Lines are laid out here, so that rich is left nothing to squeeze: it draws colours. Every table of
the product is made of `table_lines`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from results.render.columns import Column, Row, failure_text, model_column, value_columns
from results.text import cut, short_names

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

BEST_MARK = "*"  # survives where bold does not: pipes, CI logs
NOISE_MARK = "~"  # before a number that chance may have made
GAP = 2  # characters between columns
MIN_WIDTH = 40
LEAST_NAME = 12  # characters of a name, however narrow the screen


class Piece(NamedTuple):
    """A part of a line in one of rich's styles."""

    text: str
    style: str = ""


Line = Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines for rich to print as they are: tens of thousands of Texts would take it seconds."""

    lines: Sequence[Line]

    def __rich_console__(self, console: "Console", _: "ConsoleOptions") -> Iterator["Segment"]:
        """The pieces of each line, and its end; plain ones that follow each other are one."""
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
    width = max(width, MIN_WIDTH)
    succeeded = [row for row in rows if row["status"] == "ok"]
    failed = [row for row in rows if row["status"] != "ok"]
    names = short_column(model_column([*succeeded, *failed]), width)
    columns = fitting(value_columns(succeeded, by), names, width) if succeeded else []
    failures = [*[None] * len(succeeded), *map(failure_text, failed)]
    return Lines(titled(title, table_lines([names, *columns], width, failures)))


def titled(title: str | None, lines: Sequence[Line]) -> list[Line]:
    """The lines of a table below its title, or a line that there are none."""
    return [*([[Piece(title, "bold")]] if title else []), *(lines or [[Piece("no records")]])]


def table_lines(
    columns: Sequence[Column],
    width: int,
    failures: Sequence[str | None] = (),
    num_identifying: int = 1,
) -> list[Line]:
    """Header, rule and a line a row, best values marked and those of chance dim; none of no rows.

    Args:
        columns: The names and what fits beside them; after the rows that did not fail they may end.
        width: Characters that rule and failures may take.
        failures: For each row, what stands in place of its numbers, or None.
        num_identifying: How many columns a row that failed keeps.
    """
    num_rows = len(columns[0].cells)
    if not num_rows:
        return []
    cells = [_cells(column) for column in columns]
    lines: list[Line] = []
    for index in range(num_rows):
        failure = failures[index] if failures else None
        if failure is None:
            lines.append(_joined([column[index + 1] for column in cells]))
        else:
            start = "".join(f"{c[index + 1].text}{' ' * GAP}" for c in cells[:num_identifying])
            room = max(width - _length(start), 1)
            lines.append([Piece(start), Piece(cut(failure, room), "red")])
    if len(columns) == 1:  # failures alone have no headers
        return lines
    header = "".join(piece.text for piece in _joined([column[0] for column in cells]))
    length = sum(GAP + _length(column[0].text) for column in cells) - GAP
    return [[Piece(header, "bold")], [Piece("─" * min(length, width))], *lines]


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


def _cells(column: Column) -> list[Piece]:
    """The header and the cells of a column at their place."""
    # Not rich's own alignment: it drops the blanks that keep decimal points in line.
    width, has_best = column_width(column), any(column.is_best)
    pieces = []
    for text, is_best in zip((column.header, *column.cells), (False, *column.is_best), strict=True):
        style = "bold" if is_best else ""
        if column.align == "left":
            marked = text
        else:
            style = "dim" if text.startswith(NOISE_MARK) else style
            marked = text + (BEST_MARK if is_best else " " if has_best else "")
        blanks = " " * (width - _length(marked))
        aligned = f"{marked}{blanks}" if column.align == "left" else f"{blanks}{marked}"
        pieces.append(Piece(aligned, style))
    return pieces


def _joined(cells: Sequence[Piece]) -> list[Piece]:
    """The cells of a row with gaps between them, without blanks at its end."""
    pieces = [piece for cell in cells for piece in (cell, Piece(" " * GAP))][:-1]
    while len(pieces) > 1 and not pieces[-1].text.strip():
        pieces.pop()
    return [*pieces[:-1], pieces[-1]._replace(text=pieces[-1].text.rstrip())]


def _length(text: str) -> int:
    """Cells of a terminal: a Chinese letter takes two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
