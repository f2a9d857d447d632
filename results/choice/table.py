"""The table of a choice: the trade-offs worth having, and why the other rows do not qualify."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.choice.choose import PER_JOULE, PER_SECOND, Candidate, Choice
from results.render.columns import (
    MISSED,
    UNKNOWN,
    Column,
    cells,
    identity_columns,
    number_column,
    text_column,
)
from results.render.footer import (
    NEVER,
    comparability_warning,
    failure_lines,
    flag_lines,
    ground_lines,
)
from results.render.table import (
    GAP,
    MIN_WIDTH,
    column_width,
    fitting,
    short_column,
    table_lines,
    titled,
)
from results.rows.comparable import Row
from results.text import (
    cut,
    format_bytes,
    format_count,
    format_joules,
    format_percent,
    format_seconds,
    listed,
    one_line,
)

if TYPE_CHECKING:
    from rich.console import Group

MOST_EXCLUDED = 12  # rows shown that do not qualify; a sentence counts the rest
SHARE_OF_WHY = 0.3  # of the width, kept free for the last column before numbers take theirs
INTERVAL = "interval: 95 %, of test images (Wilson) and, from two on, of seeds (Student t)."
FRONT = (
    "on the front: no other row that qualifies is at least as good in accuracy and in every cost, "
    "and better in one."
)


def render_choice(choice: Choice, *, width: int) -> "Group":
    """A rich renderable no wider than `width` characters (but at least 40).

    The recommended row, the runner-up and the Pareto front come first, then what does not qualify.
    The least important numbers are left out until the rest fits.
    """
    width = max(width, MIN_WIDTH)
    shown = _shown(choice)
    if not shown:
        return titled(None, [])
    names = short_column(text_column("model", [one.label for one in shown]), width)
    words = [_word(one, choice) for one in shown]
    reserved = min(max(map(len, words)), int(SHARE_OF_WHY * width)) + GAP
    columns = fitting(_number_columns(shown, choice), names, width - reserved)
    used = sum(column_width(column) + GAP for column in (names, *columns))
    room = max(width - used, 1)
    columns.append(text_column("choice"[:room], [cut(word, room) for word in words]))
    return titled(None, table_lines([names, *columns], width))


def choice_notes(choice: Choice) -> list[str]:
    """What a reader must know beside the table, a fact a line, warnings first."""
    shown = _shown(choice)
    beaten = [one.label for one in choice.qualifying if one not in shown]
    num_more = len(choice.excluded) - MOST_EXCLUDED
    notes = {
        f"{choice.objective.by} favours tiny models: look at accuracy and train time as well.": (
            choice.objective.by in (PER_SECOND, PER_JOULE)
        ),
        f"{num_more} more rows do not qualify; --format json lists them.": num_more > 0,
        f"also qualify, but a row on the front is better: {listed(beaten, MOST_EXCLUDED)}.": beaten,
        NEVER: any(_to_target(one.row, choice) == MISSED for one in shown),
        INTERVAL: True,
        FRONT: choice.qualifying,
    }
    names = [one.label for one in choice.qualifying[:2]]
    best = choice.summaries[: len(names)]
    lines = [
        *failure_lines(best, names),
        *flag_lines(best, names),
        *(note for note, is_needed in notes.items() if is_needed),
        *ground_lines(choice.summaries),
    ]
    return [one_line(line) for line in lines]


def _shown(choice: Choice) -> list[Candidate]:
    best = choice.qualifying[:2]
    rest = [one for one in choice.front if one not in best]
    return [*best, *rest, *choice.excluded[:MOST_EXCLUDED]]


def _word(candidate: Candidate, choice: Choice) -> str:
    if candidate.why:
        return f"no: {one_line(candidate.why)}"
    word = "on the front" if candidate in choice.front else ""
    if candidate is choice.recommended:
        word = "recommended"
    elif candidate is choice.runner_up:
        word = "runner-up"
    failed = candidate.row["n_failed"]
    return f"{word} ({failed} of {failed + candidate.row['n_seeds']} failed)" if failed else word


def _number_columns(shown: Sequence[Candidate], choice: Choice) -> list[Column]:
    """In order of importance; first what tells rows apart that are not comparable."""
    rows = [candidate.row for candidate in shown]
    to_target = [_to_target(row, choice) for row in rows]
    columns = [
        *(identity_columns(rows, "model") if comparability_warning(choice.records) else []),
        number_column("accuracy %", cells(rows, "test_accuracy", lambda a: f"{a * 100:.2f}")),
        number_column("interval %", [_interval_text(row) for row in rows]),
        number_column("train time", cells(rows, "train_time_s", format_seconds)),
        number_column(f"to {format_percent(choice.objective.target)}", to_target),
        number_column("memory", cells(rows, "peak_memory_bytes", format_bytes)),
        number_column("params", cells(rows, "num_params", format_count)),
        number_column("energy", cells(rows, "energy_j", format_joules)),
    ]
    return [column for column in columns if set(column.cells) - {UNKNOWN}]


def _to_target(row: Row, choice: Choice) -> str:
    seconds, unknown = choice.objective.time_to_target(row)
    if seconds is not None:
        return format_seconds(seconds)
    return UNKNOWN if unknown or row["status"] != "ok" else MISSED


def _interval_text(row: Row) -> str:
    """What seeds and test images leave open, as the root of their squares; seeds if known."""
    images, seeds = row["test_accuracy_sampling_ci95"], row["test_accuracy_ci95"]
    bounds = images or seeds
    if bounds is None:
        return UNKNOWN
    low, high = bounds
    if images and seeds:
        accuracy, half = row["test_accuracy"], (seeds[1] - seeds[0]) / 2
        low = accuracy - math.hypot(half, accuracy - low)
        high = accuracy + math.hypot(half, high - accuracy)
    return f"{max(0.0, low) * 100:.1f} to {min(1.0, high) * 100:.1f}"
