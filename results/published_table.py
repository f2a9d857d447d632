"""Published numbers beside ours for a person: a row for each reference system and protocol."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from results.columns import UNKNOWN, Column, format_seconds, text_column
from results.formats import escape_markdown, export
from results.lines import header_line, row_line, rule_line
from results.published_footer import note_marks, published_footer_lines
from results.records import RunRecord
from results.replication import PUBLISHED_KEYS, published_rows
from results.table import MIN_WIDTH, column_width, fitting

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = Mapping[str, Any]


def render_published(
    rows: Sequence[Row], *, width: int, title: str | None = None
) -> "RenderableType":
    """A rich renderable of published rows, no wider than `width` characters (but at least 40).

    The least important columns are left out until the rest fits; nothing is squeezed. A system
    that failed keeps its place and its published number, with its status as the verdict.

    Args:
        rows: As `published_rows` gives them.
        width: Characters to use.
        title: A line above the table.
    """
    from rich.console import Group  # csv and json need no rich
    from rich.text import Text

    heading = [Text(title, style="bold")] if title else []
    if not rows:
        return Group(*heading, Text("no records"))
    width = max(width, MIN_WIDTH)
    names, *others = published_columns(rows)
    columns = fitting(others, column_width(names), width)
    lines = [row_line(names, columns, index) for index in range(len(rows))]
    return Group(*heading, header_line(names, columns), rule_line(names, columns, width), *lines)


def published_columns(rows: Sequence[Row]) -> list[Column]:
    """All columns of published rows that say anything, most important first."""
    columns = [
        text_column("protocol", [row["protocol"] for row in rows]),
        _plain("published %", _cells(rows, "published_accuracy", _percent)),
        _plain("ours %", _cells(rows, "test_accuracy", _percent)),
        text_column("verdict", [row["verdict"] for row in rows]),
        _plain("95 % interval", _cells(rows, "test_accuracy_interval95", _interval)),
        text_column("notes", [marks or UNKNOWN for marks in note_marks(rows)]),
        _plain("seeds", tuple(str(row["n_seeds"]) for row in rows)),
        _plain("epochs", tuple(map(_epochs, rows))),
        _plain("published loss", _cells(rows, "published_loss", _loss)),
        _plain("loss", _cells(rows, "test_loss", _loss)),
        text_column("published time", tuple(map(_published_time, rows))),
        _plain("train time", _cells(rows, "train_time_s", format_seconds)),
        text_column("model", [row["model"] for row in rows]),
        *_told_apart(rows),
        text_column("remarks", [row["remarks"] for row in rows]),
    ]
    informative = [column for column in columns if set(column.cells) - {"", UNKNOWN}]
    return [text_column("system", [row["system"] for row in rows]), *informative]


def export_published(records: Iterable[RunRecord], fmt: str) -> str:
    """Published numbers beside ours in one of FORMATS, ending in a newline.

    csv and json hold PUBLISHED_KEYS in base units, the notes spelled out in each row. Markdown and
    latex hold what a person reads; the lines below the table follow as a list or as comments.

    Raises:
        ResultsError: There is no such format.
    """
    records = list(records)
    rows = published_rows(records)
    text = export(rows, fmt, columns=published_columns(rows), keys=PUBLISHED_KEYS)
    if fmt not in _BELOW:
        return text
    lines = published_footer_lines(records)
    return text + "\n" + "".join(f"{_BELOW[fmt](line)}\n" for line in lines)


_BELOW: Mapping[str, Callable[[str], str]] = {
    "markdown": lambda line: f"- {escape_markdown(line)}",
    "latex": lambda line: f"% {line}",
}


def _told_apart(rows: Sequence[Row]) -> list[Column]:
    keys = [key for key in ("precision", "device") if len({row[key] for row in rows}) > 1]
    return [text_column(key, [str(row[key] or UNKNOWN) for row in rows]) for key in keys]


def _plain(header: str, cells: tuple[str, ...]) -> Column:
    return Column(header, cells, (False,) * len(cells))


def _cells(rows: Sequence[Row], key: str, text: Callable[[Any], str]) -> tuple[str, ...]:
    return tuple(UNKNOWN if row[key] is None else text(row[key]) for row in rows)


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.2f}"


def _interval(bounds: Sequence[float]) -> str:
    return f"{_percent(bounds[0])} to {_percent(bounds[1])}"


def _loss(nats: float) -> str:
    return f"{nats:.4f}"  # as many digits as R4 gives


def _epochs(row: Row) -> str:
    seen = row["epochs"]
    return UNKNOWN if seen is None else f"{seen:.3g} of {row['recipe_epochs']}"


def _published_time(row: Row) -> str:
    seconds = row["published_time_s"]
    return UNKNOWN if seconds is None else f"{format_seconds(seconds)} {row['published_device']}"
