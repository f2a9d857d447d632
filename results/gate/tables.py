"""The two tables of a verdict, what is in trouble and a row a model, and both for a terminal."""

import re
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from results.gate.verdict import TROUBLE, Check, Finding, Verdict
from results.gate.words import (
    MOST_EVIDENCE_CHARS,
    change_text,
    described,
    gravest_first,
    notes,
    own_name,
    place,
    value_text,
)
from results.render.columns import UNKNOWN, Column, number_column, text_column
from results.render.table import MIN_WIDTH, fitting, short_column, table_lines
from results.text import MOST_CHARS, cut, cut_name, short_names

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

MOST_TROUBLES = 40  # sentences that a person may still read
GLUE = "\N{NO-BREAK SPACE}"


def troubles(verdict: Verdict) -> list[Finding]:
    """Return what is worse, unusable or unclear, in this order, the gravest first."""
    return gravest_first(verdict.of(*TROUBLE))


def trouble_columns(findings: Sequence[Finding]) -> list[Column]:
    """Make a row a finding: outcome, model, quantity, values, how sure; no column of unknowns."""
    columns = [
        text_column("", [finding.outcome for finding in findings]),
        text_column("model", [cut_name(finding.model) or UNKNOWN for finding in findings]),
        text_column("what", [cut(finding.quantity) for finding in findings]),
        number_column("before", [value_text(finding, finding.base) for finding in findings]),
        number_column("after", [value_text(finding, finding.head) for finding in findings]),
        number_column("change", [change_text(finding) for finding in findings]),
        text_column("how sure", [cut(f.evidence, MOST_EVIDENCE_CHARS) for f in findings]),
    ]
    return [*columns[:3], *_informative(columns[3:])]


def model_columns(verdict: Verdict) -> list[Column]:
    """Make a row a model, the most important column first; none where no model has a number."""
    rows: dict[str, list[Finding]] = {}
    for finding in verdict.findings:
        if finding.model:
            rows.setdefault(own_name(finding.model), []).append(finding)

    def cells(check: Check, text: Callable[[Finding], str] = _change_cell) -> list[str]:
        """What stands for a check of each model: the worst that it found."""
        found = [gravest_first(f for f in row if f.check == check) for row in rows.values()]
        return [text(worst[0]) if worst else UNKNOWN for worst in found]

    columns = _informative(
        [
            number_column("step change", cells("speed")),
            number_column("accuracy", cells("accuracy")),
            number_column("memory", cells("memory")),
            text_column("counts", [_counts_cell(row) for row in rows.values()]),
            number_column("energy", cells("energy")),
            number_column("seconds a step", cells("speed", _step_cell)),
        ]
    )
    if not columns:
        return []
    return [text_column("model", [*short_names(list(rows), MOST_CHARS).values()]), *columns]


def render_verdict(verdict: Verdict, *, width: int) -> "Group":
    """Draw a sentence for each finding in trouble, and the table of models.

    Nothing is wider than `width` characters (but at least 40): sentences are wrapped, and the least
    important columns are left out until the rest fits.
    """
    from rich.console import Group  # json needs no rich
    from rich.text import Text

    width = max(width, MIN_WIDTH)
    found = troubles(verdict)
    lines = [_sentence(finding, width) for finding in found[:MOST_TROUBLES]]
    if len(found) > MOST_TROUBLES:
        lines.append(Text(f"{len(found) - MOST_TROUBLES:,} more; verdict.json has them all"))
    if columns := model_columns(verdict):
        names = short_column(columns[0], width)
        lines += [Text("")] if lines else []
        lines += table_lines([names, *fitting(columns[1:], names, width)], width)
    return Group(*lines or ([Text("no numbers")] if verdict.exit_code else []))


def verdict_notes(verdict: Verdict) -> list[str]:
    """Say below the tables what was not compared, where it ran, what changed on purpose."""
    changed = (f"changed on purpose: {described(finding)}" for finding in verdict.of("changed"))
    return [*notes(verdict), place(verdict), *changed]


def _sentence(finding: Finding, width: int) -> "Text":
    """Write all of a finding, its outcome in colour, further lines indented."""
    from rich.text import Text

    wrapped = textwrap.wrap(
        # a number and its unit stay on one line
        re.sub(r"(?<=\d) ", GLUE, f"{finding.outcome}: {described(finding)}"),
        width,
        subsequent_indent="  ",
        break_on_hyphens=False,
    )
    line = Text("\n".join(wrapped).replace(GLUE, " "))
    line.stylize("bold red" if finding.outcome == "worse" else "yellow", 0, len(finding.outcome))
    return line


def _change_cell(finding: Finding) -> str:
    """The change, or the outcome where there is none to tell."""
    if finding.outcome == "skipped":
        return UNKNOWN
    change = change_text(finding)
    return finding.outcome if change == UNKNOWN else change


def _step_cell(finding: Finding) -> str:
    """12.3 ms to 14.1 ms, or what is known of that."""
    values = [value_text(finding, finding.base), value_text(finding, finding.head)]
    return UNKNOWN if set(values) == {UNKNOWN} else " to ".join(values)


def _counts_cell(findings: Sequence[Finding]) -> str:
    """How many counts differ, else how many are equal."""
    counts = [finding for finding in findings if finding.check == "counts"]
    tallies = [
        f"{number} {outcome}"
        for outcome in (*TROUBLE, "changed", "better")
        if (number := sum(finding.outcome == outcome for finding in counts))
    ]
    equal = [finding.evidence for finding in counts if finding.outcome == "same"]
    if not tallies and equal:  # of a gate one finding says how many
        return equal[0] if equal[0].endswith(" equal") else "equal"
    return ", ".join(tallies) or UNKNOWN


def _informative(columns: Sequence[Column]) -> list[Column]:
    return [column for column in columns if set(column.cells) - {"", UNKNOWN}]
