"""A verdict in words: values with units, a sentence a finding, the first line, the notes."""

import math
from collections.abc import Iterable, Mapping
from typing import get_args

from results.gate.verdict import COMPARED, EXIT_CODES, TROUBLE, Check, Commit, Finding, Verdict
from results.render.columns import UNKNOWN
from results.render.footer import environment_facts, stated
from results.text import (
    cut,
    cut_name,
    distinct,
    format_bytes,
    format_joules,
    format_latency,
    format_seconds,
    listed,
    one_line,
    percent,
    plural,
    three_digits,
)

STEP = "seconds a step"
NEW = "new"  # evidence of a row that only the head has
PLAN = ", plan "  # between a model and the plan that a row of counts is about
MOST_SAID = 3  # findings, models, reasons that one line names
MOST_SAID_CHARS, MOST_EVIDENCE_CHARS, MOST_NOTE_CHARS, MOST_SUBJECT_CHARS = 140, 160, 300, 72
SHORT_HASH = 10
HEADLINES = {0: "No regression", 1: "Regression", 3: "Inconclusive", 4: "Nothing to compare"}
WORSE: Mapping[Check, str] = {
    "speed": "slower",
    "accuracy": "less accurate",
    "memory": "larger",
    "energy": "hungrier",
    "counts": "larger",
}


def value_text(finding: Finding, value: float | None) -> str:
    """Write a value of a finding in the unit of its check: 14.1 ms, 91.23 %, 48.0 MiB, 1,234."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if finding.check == "speed":
        return format_latency(value) if 0 < value < 9.995e-4 else format_seconds(value)
    texts = {"accuracy": percent, "memory": format_bytes, "energy": format_joules}
    if finding.check in texts:
        return texts[finding.check](value)
    return f"{value:,.0f}" if value == round(value) else three_digits(value)


def change_text(finding: Finding) -> str:
    """Write the change with its sign, never -0.0: +14.8 %, of accuracies -2.10 points."""
    change = finding.change
    if change is None or not math.isfinite(change):
        return UNKNOWN
    if finding.check == "accuracy":
        return f"{change * 100:+z.{2 if abs(change) < 0.09995 else 1}f} points"
    return f"{change * 100:+z,.{1 if abs(change) < 9.9995 else 0}f} %"


def name_of(finding: Finding) -> str:
    """Name model and quantity; one of them where the other says nothing."""
    return ", ".join(distinct([cut_name(finding.model), cut(finding.quantity)]))


def described(finding: Finding) -> str:
    """Write out a finding: v2, seconds a step: from 12.3 ms to 14.1 ms (+14.8 %), how sure."""
    facts = ", ".join(distinct([_values(finding), cut(finding.evidence, MOST_EVIDENCE_CHARS)]))
    return f"{name_of(finding)}: {facts}" if facts else name_of(finding)


def claim(finding: Finding) -> str:
    """Put a finding that is worse or better in the fewest words: v2 is 14.8 % slower a step."""
    change = change_text(finding)
    if finding.outcome not in {"worse", "better"} or not finding.change or change == UNKNOWN:
        return described(finding)
    model, size = cut_name(finding.model), change.lstrip("+-")
    more_or_less = "less" if change.startswith("-") else "more"
    if finding.check == "speed" and finding.quantity == STEP:
        return f"{model} is {size} {'faster' if change.startswith('-') else 'slower'} a step"
    if finding.check == "accuracy":
        return f"{model} is {size} {more_or_less} accurate"
    if finding.check == "memory":
        return f"{model} takes {size} {more_or_less} memory"
    return f"{name_of(finding)}: {_values(finding)}"


def own_name(row: str) -> str:
    """Return the model of a row of counts; the row itself where it is an epoch's."""
    return row.partition(PLAN)[0]


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by their outcomes, then checks, then by the size of the change."""
    outcomes, checks = [*TROUBLE, *COMPARED, "skipped"], get_args(Check)

    def rank(finding: Finding) -> tuple[int, int, float]:
        change = finding.change or 0.0
        size = abs(change) if math.isfinite(change) else 0.0
        return outcomes.index(finding.outcome), checks.index(finding.check), -size

    return sorted(findings, key=rank)


def headline(verdict: Verdict) -> tuple[str, str]:
    """Return the verdict, and what a reader must know who reads one line."""
    name = HEADLINES[verdict.exit_code]
    if not verdict.of(*TROUBLE, *COMPARED):
        skipped = f", {plural(len(verdict.findings), 'check')} skipped" if verdict.findings else ""
        return name, f"no check was made{skipped}"
    outcome = next((outcome for outcome in EXIT_CODES if verdict.of(outcome)), None)
    if outcome is None:
        return name, _all_is_well(verdict)
    found = gravest_first(verdict.of(outcome))
    parts = [listed([cut(claim(f), MOST_SAID_CHARS) for f in found], MOST_SAID, "; ")]
    others = [f"{len(verdict.of(o))} {o}" for o in TROUBLE if o != outcome and verdict.of(o)]
    parts += [f"besides, {' and '.join(others)}"] if others else []
    well = set(_models(verdict.of(*COMPARED))) - set(_models(verdict.of(*TROUBLE)))
    if outcome != "worse" and well:
        parts.append(f"nothing is worse in {plural(len(well), 'other model')}")
    return name, "; ".join(parts)


def notes(verdict: Verdict) -> list[str]:
    """Say what was not compared, what is new and what was skipped, each in one line."""
    skipped = verdict.of("skipped")
    new = [cut_name(f.model) for f in skipped if f.check == "run" and f.evidence == NEW]
    reasons: dict[tuple[str, str], list[str]] = {}
    for finding in skipped:
        if finding.check != "run" or finding.evidence != NEW:
            key = (cut(finding.quantity), cut(finding.evidence, MOST_NOTE_CHARS // 2))
            reasons.setdefault(key, []).append(cut_name(finding.model))
    texts = [
        quantity
        + (f" of {listed(named, MOST_SAID)}" if (named := distinct(models)) else "")
        + (f" ({why})" if why else "")
        for (quantity, why), models in reasons.items()
    ]
    lines = [cut(note, MOST_NOTE_CHARS) for note in verdict.notes]
    lines += [f"new, with nothing to be compared with: {listed(new, MOST_SAID)}"] if new else []
    return [*lines, f"skipped: {listed(texts, MOST_SAID, '; ')}"] if texts else lines


def place(verdict: Verdict) -> str:
    """Say where it was measured, which commits, and how long it took."""
    took = "" if verdict.seconds is None else f"took {format_seconds(verdict.seconds)}"
    commits = [f"base {_commit_text(verdict.base)}", f"head {_commit_text(verdict.head)}"]
    where = stated(environment_facts([verdict.environment]))
    return "; ".join(distinct([where, *commits, took])) + "."


def _values(finding: Finding) -> str:
    base, head = (value_text(finding, value) for value in (finding.base, finding.head))
    change = change_text(finding)
    if UNKNOWN not in {base, head}:
        return f"from {base} to {head}" + (f" ({change})" if change != UNKNOWN else "")
    if change != UNKNOWN:
        return change
    return f"now {head}" if head != UNKNOWN else f"was {base}" if base != UNKNOWN else ""


def _all_is_well(verdict: Verdict) -> str:
    compared = verdict.of(*COMPARED)
    checks = {finding.check for finding in compared}
    words = distinct(word for check, word in WORSE.items() if check in checks)
    well = " or ".join(distinct([", ".join(words[:-1]), *words[-1:]])) or "failed"
    models, better = _models(compared), gravest_first(verdict.of("better"))
    parts = [f"{plural(len(models), 'model')}, nothing {well}" if models else f"nothing {well}"]
    parts += [listed(map(claim, better), MOST_SAID, "; ")] if better else []
    num_new = sum(f.check == "run" and f.evidence == NEW for f in verdict.of("skipped"))
    numbers = {"changed on purpose": len(verdict.of("changed")), "new": num_new}
    return "; ".join([*parts, *(f"{number} {what}" for what, number in numbers.items() if number)])


def _models(findings: Iterable[Finding]) -> list[str]:
    """Return models that findings are about; an epoch is a row of counts, but no model."""
    rows = (finding.model for finding in findings)
    return distinct(own_name(row) for row in rows if ", " not in row or PLAN in row)


def _commit_text(commit: Commit) -> str:
    """Write hash and subject, and the name where it says more than the hash."""
    if not commit.commit:  # a set of records of several commits
        return cut(commit.revision)
    short = one_line(commit.commit)[:SHORT_HASH]
    is_hash = commit.commit.startswith(commit.revision)
    name = short if is_hash else f"{cut(commit.revision)} = {short}"
    return f'{name} "{cut(commit.subject, MOST_SUBJECT_CHARS)}"' if commit.subject else name
