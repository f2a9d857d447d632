"""The columns a person reads: which there are, in order of importance, and their cells as text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from results.rows.comparable import holds_time_equal
from results.rows.settings import is_number, recipe_name, setting_text, settings_in
from results.text import (
    format_bytes,
    format_count,
    format_joules,
    format_percent,
    format_seconds,
    one_line,
    three_digits,
    visible,
)

Row = Mapping[str, Any]
UNKNOWN, MISSED = "-", "∞"
ACCURACY = "accuracy %"
FIXED_TARGET = "0.90"  # whose seconds every table has a column of
QUIET_FLAGS = {"reached_target"}  # a column of their own says it


@dataclass(frozen=True, slots=True)
class Column:
    """One column as text; whatever its cells were made of, each is visible and on one line."""

    header: str
    cells: tuple[str, ...]  # a text for each row
    is_best: tuple[bool, ...]  # for each row, whether its value is the best of the column
    align: Literal["left", "right"] = "right"
    values: tuple[float | None, ...] = ()  # to sort by; empty where cells are words

    def __post_init__(self) -> None:
        """Make each text visible here, so that no table can get it wrong."""
        object.__setattr__(self, "header", visible(self.header))
        object.__setattr__(self, "cells", tuple(map(visible, self.cells)))


def model_column(rows: Sequence[Row]) -> Column:
    """The row names."""
    return text_column("model", [row["model"] for row in rows])


def value_columns(
    rows: Sequence[Row], by: str = "model", failed: Sequence[Row] = ()
) -> list[Column]:
    """All columns beside the model that say anything about these rows, most important first.

    Columns that tell rows apart (settings, recipe, device and so on) come first, where rows differ
    in them. Those of settings go on with the rows that `failed`.
    """
    own, settings = _target_columns(rows), setting_columns([*rows, *failed], by)
    identity = identity_columns(rows, by)[len(settings) :]
    columns = [*settings, *identity, accuracy_column(rows), *own]
    others = (_number_column(quantity, rows) for quantity in _QUANTITIES)
    columns += [c for c in others if c.header not in {column.header for column in own}]
    columns += [_floor_column(rows), remarks_column(rows)]
    return [c for c in columns if c in own or set(c.cells) - {"", UNKNOWN, MISSED}]


def has_missed(rows: Sequence[Row]) -> bool:
    """Whether a column shows that an accuracy was never reached."""
    return any(MISSED in column.cells for column in value_columns(rows))


def failure_text(row: Row) -> str:
    """What stands in a failed row in place of numbers."""
    return one_line(f"{row['status']}: {row['reason']}" if row["reason"] else row["status"])


@dataclass(frozen=True, slots=True)
class _Quantity:
    header: str
    key: str
    text: Callable[[float], str]
    best: Callable[[Sequence[float]], float] | None = None


# In order of importance: a narrow table shows the first of them. Sizes are facts, not merits, so
# no parameter count is marked as the best.
_QUANTITIES = (
    _Quantity("loss", "test_loss", "{:.3f}".format, min),
    _Quantity("train time", "train_time_s", format_seconds, min),
    _Quantity("images/s", "images_per_s", format_count, max),
    _Quantity("memory", "peak_memory_bytes", format_bytes, min),
    _Quantity("params", "num_params", format_count),
    _Quantity("epochs", "epochs", "{:.3g}".format),
    _Quantity("to 90 %", "time_to_fixed_s", format_seconds, min),
    _Quantity("acc/s", "accuracy_per_s", three_digits, max),
    _Quantity("energy", "energy_j", format_joules, min),
    _Quantity("FLOPs/image", "flops_per_image", format_count),
    _Quantity("epoch time", "epoch_time_s", format_seconds, min),
    _Quantity("compile", "compile_time_s", format_seconds),
)
_IDENTITIES = ("commit", "budget", "target", "recipe", "precision", "plan", "device")


def text_column(header: str, cells: Sequence[str]) -> Column:
    """A column of words, of which none is the best."""
    return Column(header, tuple(cells), (False,) * len(cells), "left")


def number_column(header: str, cells: Sequence[str]) -> Column:
    """A column of numbers as text, of which none is marked as the best."""
    return Column(header, tuple(cells), (False,) * len(cells))


def cells(rows: Sequence[Row], key: str, text: Callable[[Any], str]) -> list[str]:
    """A value of each row as text, with a dash where it is unknown."""
    return [UNKNOWN if row[key] is None else text(row[key]) for row in rows]


def remarks_column(rows: Sequence[Row]) -> Column:
    """Flags, runs that failed, and why."""
    return text_column("remarks", [_remarks(row) for row in rows])


def identity_columns(rows: Sequence[Row], by: str) -> list[Column]:
    """What tells rows apart, where they differ in it, and what they are grouped by."""
    keys = [key for key in _IDENTITIES if key == by or _tells_apart(rows, key)]
    others = [text_column(key, [_identity(row, key) for row in rows]) for key in keys]
    return [*setting_columns(rows, by), *others]


def setting_columns(rows: Sequence[Row], by: str) -> list[Column]:
    """The settings in which rows differ; what they are grouped by comes first."""
    keys = settings_in(rows[0]) if rows else []
    columns = []
    for key in sorted(keys, key=lambda key: key != by):
        words = text_column(key, [setting_text(row[key]) for row in rows])
        are_numbers = all(is_number(row[key]) for row in rows)
        columns.append(replace(words, align="right") if are_numbers else words)
    return columns


def _identity(row: Row, key: str) -> str:
    text = recipe_name(row[key], settings_in(row)) if key == "recipe" else row.get(key)
    return str(text or UNKNOWN)


def _tells_apart(rows: Sequence[Row], key: str) -> bool:
    if key != "plan":
        return len({_identity(row, key) for row in rows}) > 1
    # `auto` gives each model its own plan: only two plans for one model are news.
    pairs = {(row["model"], row["plan"]) for row in rows}
    return len(pairs) > len({row["model"] for row in rows})


def _target_columns(rows: Sequence[Row]) -> list[Column]:
    """Seconds to the target at which runs ended, where any have one; shown even if all missed."""
    targets = {row["target"] for row in rows} - {None}
    if not targets:
        return []
    values = [row["target_time_s"] for row in rows]
    missed = [bool(row["n_target_missed"]) for row in rows]
    if values == [None] * len(rows) and not any(missed):  # none of the runs ended well
        return []
    header = f"to {format_percent(targets.pop())}" if len(targets) == 1 else "to target"
    return [_valued(header, rows, values, format_seconds, min, missed)]


def accuracy_column(rows: Sequence[Row]) -> Column:
    """Percent with the half-width of the interval over seeds, decimal points in line."""
    values = [row["test_accuracy"] for row in rows]
    spreads = [_spread(row) for row in rows]
    pad = max(map(len, spreads), default=0)  # single seeds keep their decimals under the others'
    cells = [
        UNKNOWN if value is None else f"{_percent(value, spread)}{spread:<{pad}}"
        for value, spread in zip(values, spreads, strict=True)
    ]
    marks = _best_marks(rows, values, max)
    return Column(ACCURACY, tuple(cells), marks, values=tuple(values))


def _percent(value: float, spread: str) -> str:
    # Digits finer than the interval say nothing; blanks keep the decimal points in line.
    decimals = len(spread.partition(".")[2].strip()) if spread else 2
    return f"{value * 100:.{decimals}f}" + " " * (2 - decimals if decimals else 3)


def _spread(row: Row) -> str:
    interval = row["test_accuracy_ci95"]
    if interval is None:
        return ""
    half = (interval[1] - interval[0]) / 2 * 100
    decimals = 2 if half < 0.995 else 1 if half < 9.95 else 0
    return f" ± {half:.{decimals}f}"


def _number_column(quantity: _Quantity, rows: Sequence[Row]) -> Column:
    if quantity.key == "time_to_fixed_s":
        times = [row["time_to_target_s"] or {} for row in rows]
        missed = [_has_missed_fixed(row) for row in rows]
        values = [seconds.get(FIXED_TARGET) for seconds in times]
        return _valued(quantity.header, rows, values, quantity.text, quantity.best, missed)
    values = [row[quantity.key] for row in rows]
    is_equal = quantity.key == "train_time_s" and any(map(holds_time_equal, rows))
    best = None if is_equal else quantity.best
    column = _valued(quantity.header, rows, values, quantity.text, best)
    if quantity.key == "epochs" and len(rows) > 1 and len(set(column.cells)) == 1:
        return number_column(column.header, [UNKNOWN] * len(rows))  # the budget says it already
    return column


def _valued(
    header: str,
    rows: Sequence[Row],
    values: Sequence[float | None],
    text: Callable[[float], str],
    best: Callable[[Sequence[float]], float] | None,
    missed: Sequence[bool] = (),
) -> Column:
    """Values as text: a dash for an unknown one, ∞ for one that was missed, the best marked."""
    cells = [
        text(value) if value is not None else MISSED if missed and missed[index] else UNKNOWN
        for index, value in enumerate(values)
    ]
    return Column(header, tuple(cells), _best_marks(rows, values, best), values=tuple(values))


def _has_missed_fixed(row: Row) -> bool:
    """Whether it looked at 90 % in vain; a run that ended at a lower target has not tried."""
    times, target = row["time_to_target_s"], row["target"]
    has_tried = target is None or target >= float(FIXED_TARGET)
    return has_tried and times is not None and times[FIXED_TARGET] is None


def _floor_column(rows: Sequence[Row]) -> Column:
    """How near the floor a row came, and what binds there: a fact, so none is the best."""
    cells = tuple(share_of_floor(row) for row in rows)
    shares = tuple(row["percent_of_floor"] for row in rows)
    return Column("of floor", cells, (False,) * len(cells), values=shares)


def share_of_floor(row: Row) -> str:
    """Percent of the floor and what binds: 42 % compute."""
    percent = row["percent_of_floor"]
    if percent is None:
        return UNKNOWN
    digits = f"{percent:.0f}" if percent >= 9.5 else f"{percent:.2g}"
    return f"{digits} % {row['binding_term'] or ''}".rstrip()


def _best_marks(
    rows: Sequence[Row],
    values: Sequence[float | None],
    best: Callable[[Sequence[float]], float] | None,
) -> tuple[bool, ...]:
    # A model at chance is fast at nothing, and a single row beats nobody.
    rivals = [
        value
        for row, value in zip(rows, values, strict=True)
        if value is not None and "at_chance" not in row["flags"]
    ]
    if best is None or len(rivals) < 2:
        return (False,) * len(rows)
    winner = best(rivals)
    return tuple(
        value == winner and "at_chance" not in row["flags"]
        for row, value in zip(rows, values, strict=True)
    )


def _remarks(row: Row) -> str:
    if row["status"] != "ok":
        return failure_text(row)
    missed, failed, num_seeds = row["n_target_missed"] or 0, row["n_failed"], row["n_seeds"]
    remarks = [f"{failed} of {num_seeds + failed} failed"] if failed else []
    remarks += [f"{missed} of {num_seeds} missed the target"] if 0 < missed < num_seeds else []
    return ", ".join([*remarks, *(flag for flag in row["flags"] if flag not in QUIET_FLAGS)])
