"""A verdict as Markdown: for the summary of a step on GitHub, or a comment on a pull request.

Nothing from outside is more than text in it: no name, subject or reason.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from results.gate.tables import model_columns, trouble_columns, troubles
from results.gate.verdict import Verdict
from results.gate.words import described, headline, notes, place
from results.render.columns import Column
from results.render.formats import escape_markdown, tabulated
from results.text import visible

MOST_CHARS = 20_000  # GitHub refuses comments of more than 65,536
MOST_OPEN = 12  # rows or items that are shown without a click
MOST_ROWS = (50, 25, MOST_OPEN, 6, 3, 1)  # of a part; fewer where escaping makes all of it longer
MOST_COMMAND_CHARS = 1500
BREAK = "\u200b"  # of no width: GitHub sees no mention and no link in what it parts


def summary_markdown(verdict: Verdict) -> str:
    """Write the verdict in one line, what is in trouble, all models, and how to repeat it.

    At most 20,000 characters: of what is too long, a line says how much was left out.
    """
    texts = (_composed(verdict, most) for most in MOST_ROWS)
    return next((text for text in texts if len(text) <= MOST_CHARS), _composed(verdict, 1))


def escaped(text: str) -> str:
    """Put the text on one line, and escape all that GitHub reads as markup, mention or link."""
    text = escape_markdown(text)
    return re.sub(r"(@|:(?=//)|www(?=\.))", rf"\1{BREAK}", text, flags=re.IGNORECASE)


def item(text: str) -> str:
    """Make the text an item of a list; what would start a block in it starts none."""
    text = re.sub(r"^([#>+=-])", r"\\\1", escaped(text))
    return "- " + re.sub(r"^(\d+)([.)])", r"\1\\\2", text)


def _composed(verdict: Verdict, most: int) -> str:
    name, text = headline(verdict)
    found, models = troubles(verdict), model_columns(verdict)
    parts = [f"**{name}**: {escaped(text)}"]
    if found:
        parts += _troubles(trouble_columns(found), most)
    if models:
        num_rows = len(models[0].cells)
        shown = _with_rest(_table(models, 0, most), num_rows - most)
        parts.append(_folded(f"All {num_rows:,} rows", shown) if num_rows > MOST_OPEN else shown)
    parts += _list("Changed on purpose", [described(f) for f in verdict.of("changed")], most)
    parts += _list("Notes", notes(verdict), most)
    parts += [escaped(place(verdict)), *_command(visible(verdict.command))]
    return "\n\n".join(parts) + "\n"


def _troubles(columns: Sequence[Column], most: int) -> list[str]:
    """Show the gravest in the open, the others behind a click."""
    num_open = min(most, MOST_OPEN)
    rest = len(columns[0].cells) - num_open
    shown = _table(columns, 0, num_open)
    if rest <= 0:
        return [shown]
    more = _with_rest(_table(columns, num_open, num_open + most), rest - most)
    return [shown, _folded(f"{rest:,} more", more)]


def _list(title: str, lines: Sequence[str], most: int) -> list[str]:
    if not lines:
        return []
    text = _with_rest("\n".join(map(item, lines[:most])), len(lines) - most)
    if len(lines) > MOST_OPEN:
        return [_folded(f"{title} ({len(lines):,})", text)]
    return [f"{title}:\n\n{text}"]


def _command(command: str) -> list[str]:
    """Say how to repeat it, in a block of code with a fence longer than any in the command."""
    if not command:
        return []
    if len(command) > MOST_COMMAND_CHARS:  # a part of a command is none
        return ["The command that repeats it is long: verdict.json has it."]
    longest = max((len(run) for run in re.findall("`+", command)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"To repeat it:\n\n{fence}sh\n{command}\n{fence}"]


def _table(columns: Sequence[Column], first: int, last: int) -> str:
    rows = [replace(c, cells=c.cells[first:last], is_best=c.is_best[first:last]) for c in columns]
    return tabulated(rows, "github", escaped, "{}")


def _folded(title: str, body: str) -> str:  # the title is ours, so it needs no escape
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _with_rest(text: str, num_left_out: int) -> str:
    if num_left_out <= 0:
        return text
    return f"{text}\n\n{num_left_out:,} more left out: verdict.json has them all."
