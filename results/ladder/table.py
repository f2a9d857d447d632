"""Ladders for a person: the rungs of each model below each other, the fastest marked."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from results.ladder.rows import rivals
from results.render.columns import (
    UNKNOWN,
    Column,
    failure_text,
    number_column,
    share_of_floor,
    text_column,
)
from results.render.table import MIN_WIDTH, fitting, table_lines, titled
from results.rows.comparable import is_time_budget
from results.text import cut_name, distinct, format_count, format_ratio, format_seconds

if TYPE_CHECKING:
    from rich.console import Group

Row = Mapping[str, Any]
INDENT = "  "


def render_ladder(rows: Sequence[Row], *, width: int, title: str | None = None) -> "Group":
    """A rich renderable of ladder rows, no wider than `width` characters (but at least 40).

    The least important columns are left out until the rest fits; nothing is squeezed. A rung that
    failed keeps its place, status and reason in place of numbers.
    """
    from rich.text import Text  # csv and json need no rich

    width = max(width, MIN_WIDTH)
    names = text_column("rung", [INDENT + row["rung"] for row in rows])
    failures = [failure_text(row) if _is_failed(row) else None for row in rows]
    columns = fitting(_number_columns(rows), names, width)
    lines = table_lines([names, *columns], width, failures)
    lines, body = lines[: -len(rows) or None], lines[-len(rows) :]
    models = [row["model"] for row in rows]
    for model, before, line in zip(models, [None, *models], body, strict=False):
        if model != before:
            lines.append(Text(cut_name(model, width), no_wrap=True))
        lines.append(line)
    return titled(title, lines)


def ladder_columns(rows: Sequence[Row]) -> list[Column]:
    """All columns of ladder rows, most important first, failures among the remarks."""
    remarks = [failure_text(row) if row["status"] != "ok" else "" for row in rows]
    columns = [
        text_column("model", [row["model"] for row in rows]),
        text_column("rung", [row["rung"] for row in rows]),
        *_number_columns(rows),
    ]
    return [*columns, text_column("remarks", remarks)] if any(remarks) else columns


def _number_columns(rows: Sequence[Row]) -> list[Column]:
    columns = [
        Column("ratio", _cells(rows, "ratio", lambda r: f"{format_ratio(r)}x"), best_marks(rows)),
        number_column("95 % interval", _cells(rows, "ratio_ci95", _interval)),
        number_column("images/s", _cells(rows, "images_per_s", format_count)),
        number_column("of floor", tuple(map(share_of_floor, rows))),
        number_column("MFU", _cells(rows, "mfu", "{:.1%}".format)),
        number_column("compile", _cells(rows, "compile_time_s", format_seconds)),
        number_column("pays after", _cells(rows, "break_even_epochs", _pays_after)),
        _budget_column(rows),
        text_column("precision", [row["precision"] for row in rows]),
        text_column("plan", [row["plan"] or UNKNOWN for row in rows]),
        text_column("adds", [row["adds"] or UNKNOWN for row in rows]),
    ]
    return [column for column in columns if set(column.cells) - {UNKNOWN}]


def _budget_column(rows: Sequence[Row]) -> Column:
    """What a budget comes to: epochs for one in seconds, seconds for the others."""
    budgets = distinct(row["budget"] for row in rows)
    name = budgets[0] if len(budgets) == 1 else "budget"
    if all(map(is_time_budget, budgets)):
        return number_column(f"epochs in {name}", _cells(rows, "epochs_in_budget", "{:.3g}".format))
    return number_column(f"{name} in all", _cells(rows, "total_s", format_seconds))


def _cells(rows: Sequence[Row], key: str, text: Callable[[Any], str]) -> tuple[str, ...]:
    return tuple(UNKNOWN if row[key] is None or _is_failed(row) else text(row[key]) for row in rows)


def best_marks(rows: Sequence[Row]) -> tuple[bool, ...]:
    """For each row, whether it is the fastest of its model; a single row beats nobody."""
    ratios: dict[str, list[float]] = {}
    are_rivals = rivals(rows)
    for row, is_rival in zip(rows, are_rivals, strict=True):
        if is_rival:
            ratios.setdefault(row["model"], []).append(row["ratio"])
    best = {model: max(found) for model, found in ratios.items() if len(found) > 1}
    return tuple(
        is_rival and row["ratio"] == best.get(row["model"])
        for row, is_rival in zip(rows, are_rivals, strict=True)
    )


def _is_failed(row: Row) -> bool:
    return row["ratio"] is None


def _pays_after(epochs: float | str) -> str:
    if isinstance(epochs, str):
        return epochs
    return f"{epochs:.{1 if epochs < 9.95 else 0}f} epochs"


def _interval(ends: Sequence[float]) -> str:
    return " to ".join(map(format_ratio, ends))
