"""A verdict as Markdown: for the summary of a step on GitHub, or a comment on a pull request."""

from collections.abc import Sequence
from dataclasses import replace

from results.gate.headline import changed_lines, headline, note_lines, place_line
from results.gate.markdown import escaped, fenced, folded, items, table
from results.gate.tables import model_columns, trouble_columns, troubles
from results.gate.verdict import Verdict
from results.render.columns import Column
from results.text import one_line

MOST_CHARS = 20_000  # GitHub refuses comments of more than 65,536
MOST_OPEN = 12  # rows or items that are shown without a click
ROOM_OPEN, ROOM_FOLDED, ROOM_MODELS, ROOM_LIST = 4500, 4000, 4000, 2000  # characters of a part
SHARES = (1.0, 0.5, 0.0)  # of that room, where escaping makes all longer; one row is always shown
MOST_COMMAND_CHARS = 1500
IN_FILE = "verdict.json has them all"


def summary_markdown(verdict: Verdict) -> str:
    """The verdict in one line, what is in trouble, all models, and how to repeat it.

    At most 20,000 characters: of what is too long, a line says how much was left out.
    """
    text = ""
    for share in SHARES:
        text = _composed(verdict, share)
        if len(text) <= MOST_CHARS:
            break
    return text


def _composed(verdict: Verdict, share: float) -> str:
    name, text = headline(verdict)
    parts = [
        f"**{name}**: {escaped(text)}",
        *_troubles(verdict, share),
        *_models(verdict, share),
        *_list("Changed on purpose", changed_lines(verdict), share),
        *_list("Notes", note_lines(verdict), share),
        escaped(place_line(verdict)),
        *_command(verdict),
    ]
    return "\n\n".join(parts) + "\n"


def _troubles(verdict: Verdict, share: float) -> list[str]:
    """The gravest in the open, others behind a click."""
    found = troubles(verdict)
    if not found:
        return []
    columns = trouble_columns(found)
    shown, num_open = table(_rows(columns, 0, MOST_OPEN), int(ROOM_OPEN * share))
    rest = len(found) - num_open
    if not rest:
        return [shown]
    more, num_folded = table(_rows(columns, num_open), int(ROOM_FOLDED * share))
    return [shown, folded(f"{rest:,} more", _with_rest(more, rest - num_folded))]


def _models(verdict: Verdict, share: float) -> list[str]:
    columns = model_columns(verdict)
    if not columns:
        return []
    shown, num_rows = table(columns, int(ROOM_MODELS * share))
    total = len(columns[0].cells)
    text = _with_rest(shown, total - num_rows)
    return [folded(f"All {total:,} rows", text) if total > MOST_OPEN else text]


def _list(title: str, lines: Sequence[str], share: float) -> list[str]:
    if not lines:
        return []
    shown, num_lines = items(lines, int(ROOM_LIST * share))
    text = _with_rest(shown, len(lines) - num_lines)
    if len(lines) > MOST_OPEN:
        return [folded(f"{title} ({len(lines):,})", text)]
    return [f"{title}:\n\n{text}"]


def _command(verdict: Verdict) -> list[str]:
    command = one_line(verdict.command)
    if not command:
        return []
    if len(command) > MOST_COMMAND_CHARS:  # a part of a command is none
        return ["The command that repeats it is long: verdict.json has it."]
    return [f"To repeat it:\n\n{fenced(command)}"]


def _with_rest(text: str, num_left_out: int) -> str:
    return f"{text}\n\n{num_left_out:,} more left out: {IN_FILE}." if num_left_out else text


def _rows(columns: Sequence[Column], first: int, last: int | None = None) -> list[Column]:
    """Some rows of columns."""
    return [replace(c, cells=c.cells[first:last], is_best=c.is_best[first:last]) for c in columns]
