"""What a gate found, in words: values with their units, changes, a sentence a finding."""

import math
from collections.abc import Sequence

from results.gate.verdict import Check, Finding
from results.render.columns import UNKNOWN
from results.text import (
    cut,
    format_bytes,
    format_joules,
    format_latency,
    format_seconds,
    percent,
    points,
    three_digits,
)

STEP = "seconds a step"
NEW = "new"  # evidence of a row that only the head has
CHECKS: tuple[Check, ...] = (
    "run",
    "speed",
    "accuracy",
    "memory",
    "energy",
    "counts",
)  # gravest first
PLAN = ", plan "  # between a model and the plan that a row of counts is about
MOST_EVIDENCE_CHARS = 160


def value_text(finding: Finding, value: float | None) -> str:
    """A value of a finding in the unit of its check: 14.1 ms, 91.23 %, 48.0 MiB, 1,234."""
    value = known(value)
    if value is None:
        return UNKNOWN
    texts = {
        "speed": _step_text,
        "accuracy": percent,
        "memory": format_bytes,
        "energy": format_joules,
    }
    return texts.get(finding.check, _count_text)(value)


def change_text(finding: Finding) -> str:
    """The change with its sign: +14.8 %, of accuracies -2.10 points."""
    change = known(finding.change)
    if change is None:
        return UNKNOWN
    if finding.check == "accuracy":
        size = points(abs(change))
        return f"{_sign(change, size)}{size} points"
    size = f"{abs(change) * 100:.1f}" if abs(change) < 9.9995 else f"{abs(change) * 100:,.0f}"
    return f"{_sign(change, size)}{size} %"


def name_of(finding: Finding) -> str:
    """Model and quantity; one of them where the other says nothing."""
    names = (cut(finding.model), cut(finding.quantity))
    return ", ".join(name for name in names if name)


def described(finding: Finding) -> str:
    """All that a finding says: v2, seconds a step: from 12.3 ms to 14.1 ms (+14.8 %), how sure."""
    evidence = cut(finding.evidence, MOST_EVIDENCE_CHARS)
    facts = ", ".join(fact for fact in (_values(finding), evidence) if fact)
    return f"{name_of(finding)}: {facts}" if facts else name_of(finding)


def claim(finding: Finding) -> str:
    """A finding in the fewest words: v2 is 14.8 % slower a step."""
    change = known(finding.change)
    if finding.outcome not in {"worse", "better"} or not change:
        return described(finding)
    model, size = cut(finding.model), change_text(finding).lstrip("+-")
    is_more = change > 0
    if finding.check == "speed" and finding.quantity == STEP:
        return f"{model} is {size} {'slower' if is_more else 'faster'} a step"
    if finding.check == "accuracy":
        return f"{model} is {size} {'more' if is_more else 'less'} accurate"
    if finding.check == "memory":
        return f"{model} takes {size} {'more' if is_more else 'less'} memory"
    return f"{name_of(finding)}: {_values(finding)}"


def own_name(row: str) -> str:
    """The model of a row of counts."""
    return row.partition(PLAN)[0]


def gravest_first(findings: Sequence[Finding], outcomes: Sequence[str]) -> list[Finding]:
    """Findings in the order of their outcomes, then of checks, then of the size of the change."""
    return sorted(
        findings,
        key=lambda finding: (
            outcomes.index(finding.outcome),
            CHECKS.index(finding.check),
            -abs(known(finding.change) or 0.0),
        ),
    )


def known(value: float | None) -> float | None:
    """The value, or None where it is no number."""
    return value if value is not None and math.isfinite(value) else None


def _values(finding: Finding) -> str:
    base, head = (value_text(finding, value) for value in (finding.base, finding.head))
    change = change_text(finding)
    if UNKNOWN not in {base, head}:
        return f"from {base} to {head}" + (f" ({change})" if change != UNKNOWN else "")
    if change != UNKNOWN:
        return change
    return f"now {head}" if head != UNKNOWN else f"was {base}" if base != UNKNOWN else ""


def _sign(change: float, size: str) -> str:
    return "-" if change < 0 and float(size.replace(",", "")) else "+"  # never -0.0


def _step_text(seconds: float) -> str:
    return format_latency(seconds) if 0 < seconds < 9.995e-4 else format_seconds(seconds)


def _count_text(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else three_digits(value)
