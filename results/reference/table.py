"""Published numbers beside ours for a person: a row for each reference system and protocol."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from results.records.record import RunRecord
from results.reference.footer import lettered, note_marks, published_footer_lines
from results.reference.rows import PUBLISHED_KEYS, published_rows
from results.render.columns import UNKNOWN, Column, cells, number_column, text_column
from results.render.formats import escape_markdown, export
from results.render.table import MIN_WIDTH, fitting, table_lines, titled
from results.text import distinct, format_seconds

if TYPE_CHECKING:
    from rich.console import Group

Row = Mapping[str, Any]
MINOR = {"notes", "seeds", "epochs", "model", "precision", "device", "remarks"}
_EMPTY = {"", UNKNOWN, f"{UNKNOWN} / {UNKNOWN}"}
_BELOW: Mapping[str, Callable[[str], str]] = {
    "markdown": lambda line: f"- {escape_markdown(line)}\n",
    "latex": lambda line: f"% {line}\n",
}


def render_published(rows: Sequence[Row], *, width: int, title: str | None = None) -> "Group":
    """A rich renderable of published rows, no wider than `width` characters (but at least 40).

    The least important columns are left out until the rest fits; nothing is squeezed. The words in
    the brackets of verdicts become letters where they would cost a major column. A protocol that
    all rows share stands in the title. A system that failed keeps its place and its published
    number, with its status as the verdict.
    """
    if not rows:
        return titled(title, [])
    width = max(width, MIN_WIDTH)
    protocol = f"protocol {rows[0]['protocol']}" if _is_shared(rows) else ""
    heading = ", ".join(distinct([title, protocol]))
    return titled(heading, table_lines(_shown(rows, width), width))


def hidden_columns_line(rows: Sequence[Row], width: int) -> str | None:
    """Which columns have no room at a width and how to see them; None where all have."""
    shown = {column.header for column in _shown(rows, max(width, MIN_WIDTH))} if rows else set()
    shown |= {"protocol"} if _is_shared(rows) else set()
    hidden = [c.header for c in published_columns(rows)[1:] if c.header not in shown]
    if not hidden:
        return None
    return (
        f"no room at {width} columns for: {', '.join(hidden)}; a wider terminal, COLUMNS=250 "
        "before the command, or --format markdown shows them."
    )


def published_columns(rows: Sequence[Row], *, is_lettered: bool = False) -> list[Column]:
    """All columns of published rows that say anything, most important first.

    Verdicts have words in their brackets, or letters that stand for them.
    """
    verdicts = [row["verdict"] for row in rows]
    losses = [cells(rows, key, "{:.4f}".format) for key in ("published_loss", "test_loss")]
    times = [[_published_time(row) for row in rows], cells(rows, "train_time_s", format_seconds)]
    differing = [k for k in ("precision", "device") if len({row[k] for row in rows}) > 1]
    columns = [
        text_column("protocol", [row["protocol"] for row in rows]),
        number_column("published %", cells(rows, "published_percent", str)),
        number_column("ours %", cells(rows, "test_accuracy", _percent)),
        text_column("verdict", [lettered(v) for v in verdicts] if is_lettered else verdicts),
        number_column("interval %", cells(rows, "test_accuracy_interval95", _interval)),
        number_column("published / our loss", [*map(" / ".join, zip(*losses, strict=True))]),
        number_column("published / our time", [*map(" / ".join, zip(*times, strict=True))]),
        text_column("notes", [marks or UNKNOWN for marks in note_marks(rows)]),
        number_column("seeds", cells(rows, "n_seeds", str)),
        number_column("epochs", [_epochs(row) for row in rows]),
        text_column("model", [row["model"] for row in rows]),
        *(text_column(key, cells(rows, key, str)) for key in differing),
        text_column("remarks", [row["remarks"] for row in rows]),
    ]
    informative = [column for column in columns if set(column.cells) - _EMPTY]
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
    return "".join([text, "\n", *map(_BELOW[fmt], published_footer_lines(records))])


def _shown(rows: Sequence[Row], width: int) -> list[Column]:
    """The names and the columns that fit, verdicts in words where these cost no major column."""
    layouts = []
    for is_lettered in (False, True):
        names, *others = published_columns(rows, is_lettered=is_lettered)
        others = [c for c in others if c.header != "protocol" or not _is_shared(rows)]
        layouts.append([names, *fitting(others, names, width)])
    return max(layouts, key=lambda layout: sum(c.header not in MINOR for c in layout))


def _is_shared(rows: Sequence[Row]) -> bool:
    return len({row["protocol"] for row in rows}) == 1


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.2f}"


def _interval(bounds: Sequence[float]) -> str:
    return "-".join(map(_percent, bounds))


def _epochs(row: Row) -> str:
    seen = row["epochs"]
    return UNKNOWN if seen is None else f"{seen:.3g} of {row['recipe_epochs']}"


def _published_time(row: Row) -> str:
    seconds = row["published_time_s"]
    if seconds is None:
        return UNKNOWN
    digits = f"{seconds:.0f}" if seconds == round(seconds) else f"{seconds:.2f}"  # as R3, as R4
    return f"{digits} s {row['published_device'] or ''}".rstrip()
