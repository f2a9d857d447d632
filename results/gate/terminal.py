"""A verdict for a terminal: what is in trouble, then a row a model, no wider than the screen."""

import dataclasses
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.gate.headline import changed_lines, note_lines, place_line
from results.gate.tables import model_columns, trouble_columns, troubles
from results.gate.verdict import Finding, Outcome, Verdict
from results.gate.words import described
from results.render.columns import Column
from results.render.lines import header_line, row_line, rule_line
from results.render.table import GAP, MIN_WIDTH, column_width, fitting
from results.text import short_names

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

MOST_TROUBLES, MOST_CHANGED = 40, 12  # lines that a person may still read
LEAST_NAME = 12  # characters of a name, however narrow the screen
INDENT, GLUE = "  ", "\N{NO-BREAK SPACE}"
BEFORE, AFTER = "step before", "step after"
_RANKS = (  # a narrow table shows the first of them, in their order in the table
    "step change",
    "accuracy",
    "memory",
    "counts",
    "energy",
    BEFORE,
    AFTER,
)


def render_verdict(verdict: Verdict, *, width: int) -> "RenderableType":
    """A rich renderable of the two tables, no wider than `width` characters (but at least 40).

    What is in trouble is a table where that fits, else a sentence a finding, wrapped. Of the
    models' table, the least important columns are left out until the rest fits.
    """
    from rich.console import Group  # json needs no rich
    from rich.text import Text

    width = max(width, MIN_WIDTH)
    tables = [_troubles(verdict, width), _models(verdict, width)]
    parts = [part for part in tables if part]
    if not parts:
        return Group(Text("no numbers")) if verdict.exit_code else Group()
    return Group(*parts[0], *[line for part in parts[1:] for line in [Text(""), *part]])


def verdict_lines(verdict: Verdict) -> list[str]:
    """What stands below the tables: changes on purpose, what was not compared, where it ran.

    The command that repeats the gate is not among them: it must not be wrapped.
    """
    changed = changed_lines(verdict)
    more = len(changed) - MOST_CHANGED
    return [
        *note_lines(verdict),
        place_line(verdict),
        *(f"changed on purpose: {line}" for line in changed[:MOST_CHANGED]),
        *([f"{more:,} more changed on purpose; verdict.json has them all"] if more > 0 else []),
    ]


def _troubles(verdict: Verdict, width: int) -> list["Text"]:
    from rich.text import Text

    found = troubles(verdict)
    shown, more = found[:MOST_TROUBLES], len(found) - MOST_TROUBLES
    lines = _trouble_table(shown, width) or _sentences(shown, width)
    return [*lines, *([Text(f"{more:,} more; verdict.json has them all")] if more > 0 else [])]


def _trouble_table(findings: Sequence[Finding], width: int) -> list["Text"]:
    """A line a finding; none where that does not fit."""
    if not findings:
        return []
    outcomes, *columns = trouble_columns(findings)
    if column_width(outcomes) + sum(GAP + column_width(column) for column in columns) > width:
        return []
    rows = [row_line(outcomes, columns, index) for index in range(len(findings))]
    for row, finding in zip(rows, findings, strict=True):
        _mark(row, finding.outcome)
    return [header_line(outcomes, columns), rule_line(outcomes, columns, width), *rows]


def _sentences(findings: Sequence[Finding], width: int) -> list["Text"]:
    """A sentence a finding, further lines of it indented."""
    from rich.text import Text

    lines = []
    for finding in findings:
        sentence = f"{finding.outcome}: {described(finding)}"
        wrapped = textwrap.wrap(
            re.sub(r"(?<=\d) ", GLUE, sentence),  # a number and its unit stay on one line
            width,
            subsequent_indent=INDENT,
            break_on_hyphens=False,
        )
        lines.append(_mark(Text("\n".join(wrapped).replace(GLUE, " ")), finding.outcome))
    return lines


def _models(verdict: Verdict, width: int) -> list["Text"]:
    columns = model_columns(verdict)
    if not columns:
        return []
    names = _short_names(columns[0], max(LEAST_NAME, width // 3))
    ranked = sorted(columns[1:], key=lambda column: _RANKS.index(column.header))
    fit = fitting(ranked, column_width(names), width)
    if not any(column.header == AFTER for column in fit):  # half of a change says nothing
        fit = [column for column in fit if column.header != BEFORE]
    shown = [column for column in columns[1:] if column in fit]
    rows = [row_line(names, shown, index) for index in range(len(names.cells))]
    return [header_line(names, shown), rule_line(names, shown, width), *rows]


def _short_names(names: Column, most: int) -> Column:
    """Names of at most so many characters; those alike when cut keep what tells them apart."""
    short = short_names(names.cells, most)
    return dataclasses.replace(names, cells=tuple(short[name] for name in names.cells))


def _mark(line: "Text", outcome: Outcome) -> "Text":
    line.stylize("bold red" if outcome == "worse" else "yellow", 0, len(outcome))
    return line
