"""The history as text: the same columns for a terminal and for documents."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from results.history.drift import Drift
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
from results.render.table import (
    MIN_WIDTH,
    NOISE_MARK,
    fitting,
    short_column,
    table_lines,
    titled,
)
from results.rows.summary import Summary
from results.text import format_bytes, format_count, format_ratio, one_line

if TYPE_CHECKING:
    from rich.console import Group

NOTE = (
    "change and ratios: against the row above of the same model. "
    f"{NOISE_MARK}: chance may have made it (95 % intervals over seeds overlap, or one seed)."
)
_NAMES = (  # a narrow table shows settings, then the first of these, in their order in the table
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
_RANKS = {name: rank for rank, name in enumerate(_NAMES, start=1)}


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


def render_history(rows: Sequence[Row], *, width: int, title: str | None = None) -> "Group":
    """A rich renderable of the rows, a line each, no wider than `width` (but at least 40).

    The least important columns are left out until the rest fits. A failed row says why in place of
    its numbers.
    """
    width = max(width, MIN_WIDTH)
    if not rows:
        return titled(title, [])
    names, *columns = history_columns(rows)
    names = short_column(names, width)
    ranked = sorted(columns, key=lambda column: _RANKS.get(column.header, 0))
    fits = {column.header: column for column in fitting(ranked, names, width)}
    shown = [names, *(fits[column.header] for column in columns if column.header in fits)]
    headers = [column.header for column in shown]
    place = headers.index("accuracy %") if "accuracy %" in headers else 1
    failures = [None if row["status"] == "ok" else failure_text(row) for row in rows]
    return titled(title, table_lines(shown, width, failures, place))


def history_footer_lines(summaries: Sequence[Summary], drifts: Sequence[Drift] = ()) -> list[str]:
    """What a reader must know beside the history, a fact a line, warnings and drift first."""
    if not summaries:
        return []
    records = [record for summary in summaries for record in summary.records]
    lines = [
        comparability_warning(records),
        *(f"drift: {drift.text}" for drift in drifts),  # ends with a command, so with no dot
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
    return UNKNOWN if row[key] is None else _marked(row, key, format_ratio(row[key]))


def _marked(row: Row, key: str, text: str) -> str:
    text = text.removesuffix("%")  # points, not percent
    return f"{NOISE_MARK}{text}" if key in row["within_noise"] else text
