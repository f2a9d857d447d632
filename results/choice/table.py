"""The table of a choice: the trade-offs worth having, and why the other rows do not qualify."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from results.choice.choose import TO_TARGET, Candidate, Choice
from results.render.columns import MISSED, UNKNOWN, Column, identity_columns, text_column
from results.render.footer import NEVER, comparability_warning
from results.render.lines import header_line, row_line, rule_line
from results.render.table import GAP, MIN_WIDTH, column_width, fitting
from results.rows.comparable import Row
from results.text import (
    format_bytes,
    format_count,
    format_joules,
    format_percent,
    format_seconds,
    listed,
    one_line,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_EXCLUDED = 12  # rows shown that do not qualify; a sentence counts the rest
SHARE_OF_WHY = 0.3  # of the width, kept free for the last column before numbers take theirs


def render_choice(choice: Choice, *, width: int) -> "RenderableType":
    """A rich renderable no wider than `width` characters (but at least 40).

    The recommended row, the runner-up and the Pareto front come first, then what does not qualify.
    The least important numbers are left out until the rest fits.
    """
    from rich.console import Group  # json needs no rich
    from rich.text import Text

    width = max(width, MIN_WIDTH)
    shown = _shown(choice)
    if not shown:
        return Group(Text("no records"))
    names = text_column("model", [_cut(one_line(one.label), max(12, width // 3)) for one in shown])
    words = [_word(one, choice) for one in shown]
    columns = _columns(shown, choice, column_width(names), words, width)
    lines = [header_line(names, columns), rule_line(names, columns, width)]
    lines += [row_line(names, columns, index) for index in range(len(shown))]
    return Group(*lines)


def table_notes(choice: Choice) -> list[str]:
    """What the table leaves out, and by which rule; a fact a line."""
    shown = {id(one) for one in _qualifying(choice)}
    beaten = [one.label for one in choice.qualifying if id(one) not in shown]
    num_more = len(choice.excluded) - MOST_EXCLUDED
    lines = []
    if choice.qualifying:
        rule = f"no other that qualifies is as good in {_axes(choice)}, and better in one"
        lines.append(f"on the front: {rule}.")
    if beaten:
        named = listed(beaten, MOST_EXCLUDED)
        lines.append(f"qualify as well, but a row of the front beats them: {named}.")
    if num_more > 0:
        lines.append(f"{num_more} more rows do not qualify; --format json lists them.")
    if any(_to_target(one.row, choice) == MISSED for one in _shown(choice)):
        lines.append(NEVER)
    lines.append("interval: 95 %, of test images (Wilson) and, from two on, of seeds (Student t).")
    return [one_line(line) for line in lines]


def _shown(choice: Choice) -> list[Candidate]:
    return [*_qualifying(choice), *choice.excluded[:MOST_EXCLUDED]]


def _qualifying(choice: Choice) -> list[Candidate]:
    of_front = {id(one) for one in choice.front}
    return [one for rank, one in enumerate(choice.qualifying) if rank < 2 or id(one) in of_front]


def _axes(choice: Choice) -> str:
    """The axes of the front that any row knows."""
    names = [
        name
        for key, name in _AXIS_NAMES.items()
        if any(one.row[key] is not None for one in choice.qualifying)
    ]
    names += [f"time to {_target(choice)}"] if choice.objective.by == TO_TARGET else []
    return listed(names)


def _word(candidate: Candidate, choice: Choice) -> str:
    if candidate.why:
        return f"no: {one_line(candidate.why)}"
    failed = candidate.row["n_failed"]
    word = "on the front" if any(candidate is one for one in choice.front) else ""
    if candidate is choice.recommended:
        word = "recommended"
    elif candidate is choice.runner_up:
        word = "runner-up"
    return f"{word} ({failed} of {failed + candidate.row['n_seeds']} failed)" if failed else word


def _columns(
    shown: Sequence[Candidate], choice: Choice, name_width: int, words: Sequence[str], width: int
) -> list[Column]:
    """As many numbers as fit, and the word on each row, cut to what is left."""
    reserved = min(max(map(len, words)), int(SHARE_OF_WHY * width))
    numbers = fitting(_number_columns(shown, choice), name_width, width - reserved - GAP)
    used = name_width + sum(GAP + column_width(column) for column in numbers) + GAP
    room = max(width - used, 1)
    return [*numbers, text_column("choice"[:room], [_cut(word, room) for word in words])]


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _number_columns(shown: Sequence[Candidate], choice: Choice) -> list[Column]:
    """In order of importance; first what tells rows apart that are not comparable."""
    rows = [candidate.row for candidate in shown]
    warning = comparability_warning(choice.records)
    columns = [
        *(identity_columns(rows, "model") if warning else []),
        _column("accuracy %", [_cell(row["test_accuracy"], _hundredths) for row in rows]),
        _column("interval %", [_cell(_interval(row), _range) for row in rows]),
        _column("train time", [_cell(row["train_time_s"], format_seconds) for row in rows]),
        _column(f"to {_target(choice)}", [_to_target(row, choice) for row in rows]),
        _column("memory", [_cell(row["peak_memory_bytes"], format_bytes) for row in rows]),
        _column("params", [_cell(row["num_params"], format_count) for row in rows]),
        _column("energy", [_cell(row["energy_j"], format_joules) for row in rows]),
    ]
    return [column for column in columns if set(column.cells) - {UNKNOWN}]


_AXIS_NAMES = {
    "test_accuracy": "accuracy",
    "train_time_s": "training time",
    "peak_memory_bytes": "memory",
    "num_params": "parameters",
    "energy_j": "energy",
}


def _column(header: str, cells: Sequence[str]) -> Column:
    return Column(header, tuple(cells), (False,) * len(cells))


def _cell(value: Any, text: Callable[[Any], str]) -> str:  # noqa: ANN401 - a row holds any JSON value
    return UNKNOWN if value is None else text(value)


def _target(choice: Choice) -> str:
    return format_percent(float(choice.objective.target))


def _to_target(row: Row, choice: Choice) -> str:
    seconds = choice.objective.time_to_target(row)
    if seconds is not None:
        return format_seconds(seconds)
    return MISSED if choice.objective.is_missed(row) else UNKNOWN


def _interval(row: Row) -> Sequence[float] | None:
    """What seeds and test images leave open, as the root of their squares; seeds if known."""
    images: Sequence[float] | None = row["test_accuracy_sampling_ci95"]
    seeds: Sequence[float] | None = row["test_accuracy_ci95"]
    if images is None or seeds is None:
        return seeds if images is None else images
    accuracy, half = row["test_accuracy"], (seeds[1] - seeds[0]) / 2
    return [
        accuracy - math.hypot(half, accuracy - images[0]),
        accuracy + math.hypot(half, images[1] - accuracy),
    ]


def _hundredths(fraction: float) -> str:
    return f"{fraction * 100:.2f}"


def _range(bounds: Sequence[float]) -> str:
    return f"{max(0.0, bounds[0]) * 100:.1f} to {min(1.0, bounds[1]) * 100:.1f}"
