"""Published numbers beside ours for a person: a row for each reference system and protocol."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from results.records.record import RunRecord
from results.reference.footer import note_marks, published_footer_lines
from results.reference.judgement import lettered
from results.reference.rows import PUBLISHED_KEYS, published_rows
from results.render.columns import UNKNOWN, Column, text_column
from results.render.formats import escape_markdown, export
from results.render.lines import header_line, row_line, rule_line
from results.render.table import MIN_WIDTH, column_width, fitting
from results.text import format_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = Mapping[str, Any]
MINOR = {"notes", "seeds", "epochs", "model", "precision", "device", "remarks"}
_EMPTY = {"", UNKNOWN, f"{UNKNOWN} / {UNKNOWN}"}


def render_published(
    rows: Sequence[Row], *, width: int, title: str | None = None
) -> "RenderableType":
    """A rich renderable of published rows, no wider than `width` characters (but at least 40).

    The least important columns are left out until the rest fits; nothing is squeezed. The words in
    the brackets of verdicts become letters where they would cost a major column. A protocol that
    all rows share stands in the title. A system that failed keeps its place and its published
    number, with its status as the verdict.

    Args:
        rows: As `published_rows` gives them.
        width: Characters to use.
        title: A line above the table.
    """
    from rich.console import Group  # csv and json need no rich
    from rich.text import Text

    if not rows:
        return Group(*([Text(title, style="bold")] if title else []), Text("no records"))
    width = max(width, MIN_WIDTH)
    heading = [title] if title else []
    heading += [f"protocol {rows[0]['protocol']}"] if _is_shared(rows) else []
    names, columns = _shown(rows, width)
    lines = [row_line(names, columns, index) for index in range(len(rows))]
    return Group(
        *([Text(", ".join(heading), style="bold")] if heading else []),
        header_line(names, columns),
        rule_line(names, columns, width),
        *lines,
    )


def hidden_columns_line(rows: Sequence[Row], width: int) -> str | None:
    """Which columns have no room at a width and how to see them; None where all have."""
    _, shown = _shown(rows, max(width, MIN_WIDTH)) if rows else (None, [])
    headers = {column.header for column in shown} | ({"protocol"} if _is_shared(rows) else set())
    hidden = [c.header for c in published_columns(rows)[1:] if c.header not in headers]
    if not hidden:
        return None
    return (
        f"no room at {width} columns for: {', '.join(hidden)}; a wider terminal, COLUMNS=250 "
        "before the command, or --format markdown shows them."
    )


def published_columns(rows: Sequence[Row], *, is_lettered: bool = False) -> list[Column]:
    """All columns of published rows that say anything, most important first.

    Args:
        rows: As `published_rows` gives them.
        is_lettered: Whether verdicts have letters in their brackets in place of words.
    """
    verdicts = [row["verdict"] for row in rows]
    columns = [
        text_column("protocol", [row["protocol"] for row in rows]),
        _plain("published %", _cells(rows, "published_percent", str)),
        _plain("ours %", _cells(rows, "test_accuracy", _percent)),
        text_column("verdict", [lettered(v) for v in verdicts] if is_lettered else verdicts),
        _plain("interval %", _cells(rows, "test_accuracy_interval95", _interval)),
        _pair("loss", rows, _published_loss, _cells(rows, "test_loss", _loss)),
        _pair("time", rows, _published_time, _cells(rows, "train_time_s", format_seconds)),
        text_column("notes", [marks or UNKNOWN for marks in note_marks(rows)]),
        _plain("seeds", tuple(str(row["n_seeds"]) for row in rows)),
        _plain("epochs", tuple(map(_epochs, rows))),
        text_column("model", [row["model"] for row in rows]),
        *_told_apart(rows),
        text_column("remarks", [row["remarks"] for row in rows]),
    ]
    informative = [column for column in columns if set(column.cells) - _EMPTY]
    return [text_column("system", [row["system"] for row in rows]), *informative]


def _shown(rows: Sequence[Row], width: int) -> tuple[Column, list[Column]]:
    """The names and the columns that fit, verdicts in words where these cost no major column."""
    layouts = [_fitting(rows, width, is_lettered=is_lettered) for is_lettered in (False, True)]
    return max(layouts, key=lambda layout: _num_major(layout[1]))  # the first of equals: words


def _fitting(rows: Sequence[Row], width: int, *, is_lettered: bool) -> tuple[Column, list[Column]]:
    names, *others = published_columns(rows, is_lettered=is_lettered)
    if _is_shared(rows):
        others = [column for column in others if column.header != "protocol"]
    return names, fitting(others, column_width(names), width)


def _num_major(columns: Sequence[Column]) -> int:
    return sum(column.header not in MINOR for column in columns)


def _is_shared(rows: Sequence[Row]) -> bool:
    return len({row["protocol"] for row in rows}) == 1


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
    return f"{_percent(bounds[0])}-{_percent(bounds[1])}"


def _loss(nats: float) -> str:
    return f"{nats:.4f}"  # as many digits as R4 gives


def _epochs(row: Row) -> str:
    seen = row["epochs"]
    return UNKNOWN if seen is None else f"{seen:.3g} of {row['recipe_epochs']}"


def _pair(
    quantity: str, rows: Sequence[Row], published: Callable[[Row], str], ours: Sequence[str]
) -> Column:
    """A published value and ours in one column."""
    pairs = zip(map(published, rows), ours, strict=True)
    return _plain(f"published / our {quantity}", tuple(map(" / ".join, pairs)))


def _published_loss(row: Row) -> str:
    nats = row["published_loss"]
    return UNKNOWN if nats is None else _loss(nats)


def _published_time(row: Row) -> str:
    seconds = row["published_time_s"]
    if seconds is None:
        return UNKNOWN
    digits = f"{seconds:.0f}" if seconds == round(seconds) else f"{seconds:.2f}"  # as R3, as R4
    return f"{digits} s {row['published_device'] or ''}".rstrip()
