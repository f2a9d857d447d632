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
from results.render.lines import rule_line
from results.render.table import GAP, MIN_WIDTH, column_width, fitting, shortened
from results.rows.summary import Summary
from results.text import cut, format_bytes, format_count, one_line, printable, three_digits

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_GAP = " " * GAP
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
    """
    from rich.console import Group  # csv and json need no rich
    from rich.text import Text

    width = max(width, MIN_WIDTH)
    heading = [Text(title, style="bold")] if title else []
    if not rows:
        return Group(*heading, Text("no records"))
    names, *columns = history_columns(rows)
    names = shortened(names, width)
    ranked = sorted(columns, key=lambda column: _RANKS.index(column.header))
    fits = fitting(ranked, column_width(names), width)
    columns = [column for column in columns if column in fits]
    # Widths are taken once for all rows: there may be thousands.
    header, *lines = zip(*map(_padded, [names, *columns]), strict=True)
    place = next((n for n, c in enumerate(columns, 1) if c.header == "accuracy %"), 1)
    return Group(
        *heading,
        Text(_GAP.join(header).rstrip(), style="bold", no_wrap=True),
        rule_line(names, columns, width),
        *(_row_text(row, cells, place, width) for row, cells in zip(rows, lines, strict=True)),
    )


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


def _padded(column: Column) -> list[str]:
    """The header and the cells, as wide as each other."""
    size, cells = column_width(column), [column.header, *map(printable, column.cells)]
    return [cell.ljust(size) if column.align == "left" else cell.rjust(size) for cell in cells]


def _row_text(row: Row, cells: Sequence[str], place: int, width: int) -> "Text":
    """The cells of a row; a failed one has its status and reason in place of its numbers."""
    from rich.text import Text

    if row["status"] == "ok":
        line = Text(_GAP.join(cells).rstrip(), no_wrap=True)
        line.highlight_regex(f"{NOISE_MARK}\\S+", "dim")
        return line
    line = Text("".join(cell + _GAP for cell in cells[:place]), no_wrap=True)
    return line.append(cut(failure_text(row), max(width - len(line), 1)), style="red")
