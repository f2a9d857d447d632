"""The two tables of a verdict as columns: what is in trouble, and a row a model."""

import re
from collections.abc import Sequence

from results.gate.headline import TROUBLE
from results.gate.verdict import Check, Finding, Verdict
from results.gate.words import (
    MOST_EVIDENCE_CHARS,
    change_text,
    gravest_first,
    own_name,
    value_text,
)
from results.render.columns import UNKNOWN, Column, text_column
from results.text import cut


def troubles(verdict: Verdict) -> list[Finding]:
    """What is worse, unusable or unclear, in this order, the gravest first."""
    return gravest_first(verdict.of(*TROUBLE), TROUBLE)


def trouble_columns(findings: Sequence[Finding]) -> list[Column]:
    """A row a finding: outcome, model, quantity, values, how sure; without what nobody knows."""
    columns = [
        text_column("", [finding.outcome for finding in findings]),
        text_column("model", [cut(finding.model) or UNKNOWN for finding in findings]),
        text_column("what", [cut(finding.quantity) for finding in findings]),
        _numbers("before", [value_text(finding, finding.base) for finding in findings]),
        _numbers("after", [value_text(finding, finding.head) for finding in findings]),
        _numbers("change", [change_text(finding) for finding in findings]),
        text_column("how sure", [cut(f.evidence, MOST_EVIDENCE_CHARS) for f in findings]),
    ]
    return [*columns[:3], *_informative(columns[3:])]


def model_columns(verdict: Verdict) -> list[Column]:
    """A row a model; no columns where no model has a number."""
    rows: dict[str, list[Finding]] = {}
    for finding in verdict.findings:
        if finding.model:
            rows.setdefault(own_name(finding.model), []).append(finding)
    speed = [_gravest(found, "speed") for found in rows.values()]
    columns = [
        _numbers("step before", [value_text(f, f.base) if f else UNKNOWN for f in speed]),
        _numbers("step after", [value_text(f, f.head) if f else UNKNOWN for f in speed]),
        _numbers("step change", [_change_cell(finding) for finding in speed]),
        _numbers("accuracy", [_change_cell(_gravest(f, "accuracy")) for f in rows.values()]),
        _numbers("memory", [_change_cell(_gravest(f, "memory")) for f in rows.values()]),
        _numbers("energy", [_change_cell(_gravest(f, "energy")) for f in rows.values()]),
        text_column("counts", [_counts_cell(found) for found in rows.values()]),
    ]
    shown = _informative(columns)
    return [text_column("model", list(map(cut, rows))), *shown] if shown else []


def _gravest(findings: Sequence[Finding], check: Check) -> Finding | None:
    """What stands for a check of a model: the worst that it found."""
    found = [finding for finding in findings if finding.check == check]
    return min(found, key=lambda finding: _RANKS.index(finding.outcome), default=None)


def _change_cell(finding: Finding | None) -> str:
    """The change, or the outcome where there is none to tell."""
    if finding is None or finding.outcome == "skipped":
        return UNKNOWN
    change = change_text(finding)
    return finding.outcome if change == UNKNOWN else change


def _counts_cell(findings: Sequence[Finding]) -> str:
    """How many counts differ, else how many are equal."""
    counts = [finding for finding in findings if finding.check == "counts"]
    tallies = [
        f"{num} {outcome}"
        for outcome in (*TROUBLE, "changed", "better")
        if (num := sum(finding.outcome == outcome for finding in counts))
    ]
    return ", ".join(tallies) or _equal_text(counts)


def _equal_text(counts: Sequence[Finding]) -> str:
    """One finding stands for all equal counts of a row, and may say of how many."""
    same = [finding for finding in counts if finding.outcome == "same"]
    numbers = [re.match(r"(\d[\d,]*) counts? equal", f.evidence or f.quantity) for f in same]
    if not all(numbers):
        return "equal"
    total = sum(int(match[1].replace(",", "")) for match in numbers if match)
    return f"{total:,} equal" if total else UNKNOWN


def _numbers(header: str, cells: Sequence[str]) -> Column:
    return Column(header, tuple(cells), (False,) * len(cells))


def _informative(columns: Sequence[Column]) -> list[Column]:
    return [column for column in columns if set(column.cells) - {"", UNKNOWN}]


_RANKS = (*TROUBLE, "changed", "better", "same", "skipped")
