"""Counts of two commits held against each other: they are exact, so one that grows is enough."""

from collections.abc import Mapping
from pathlib import Path

from bench.counts.baseline import BOUND, FILE, WORDS, Baseline, Rows
from bench.errors import UsageError
from results.gate.verdict import Finding, Outcome
from results.gate.words import own_name

DEFINING = ("parameters", "trainable_parameters", "images", "steps")  # say what is measured at all
RECORD_SLACK_BYTES = 32  # digits of a record's times; 10 were seen over 80 records, a field has 37
EXACT, RENEWED = "exact count", f"{FILE} renewed"
WORSE = {  # what growth means
    "kept_bytes": f"{EXACT}: it leaks",
    "later_graphs": f"{EXACT}: it recompiles",
    BOUND: f"more than the {RECORD_SLACK_BYTES} bytes that digits may take",
} | dict.fromkeys(DEFINING, "what is measured is another")

Counts = Mapping[str, int]


def consented_counts(base_tree: Path, head_tree: Path, stack: str) -> Rows:
    """Return the counts in the head's file of counts that are not those of the base's file.

    Those of the `stack`, as `bench.counts.baseline.stack_of` has it; a bound only where it is
    raised. None where the file of either tree is missing or cannot be read.
    """
    try:
        before, after = (
            Baseline.read(tree / FILE).rows_for(stack) for tree in (base_tree, head_tree)
        )
    except UsageError:
        return {}
    changed: Rows = {}
    for row, counts in after.items():
        for quantity, value in counts.items():
            former = before.get(row, {}).get(quantity, value)
            if value > former or (value < former and quantity != BOUND):
                changed.setdefault(row, {})[quantity] = value
    return changed


def judge_counts(
    base: Mapping[str, Counts], head: Mapping[str, Counts], consented: Mapping[str, Counts]
) -> list[Finding]:
    """Judge each count that differs, and each row that is gone or new; say how many are equal.

    All are counts by row and quantity, `consented` those that `consented_counts` returns.
    """
    if not base:
        return [_finding("all", "counts", "unusable", evidence="nothing was counted on the base")]
    found: list[Finding] = []
    equal: dict[str, int] = {}  # how many counts of each model
    for row, counts in base.items():
        if row not in head:
            found.append(_finding(row, "counts", "worse", evidence="gone"))
            continue
        for quantity in dict.fromkeys((*WORDS, *counts, *head[row])):  # in the order of the words
            before, after = counts.get(quantity), head[row].get(quantity)
            if not _is_equal(quantity, before, after):
                consent = consented.get(row, {}).get(quantity)
                outcome, evidence = _judge(quantity, before, after, consent)
                found.append(_finding(row, quantity, outcome, before, after, evidence))
            elif before is not None:
                equal[own_name(row)] = equal.get(own_name(row), 0) + 1
    new = [_finding(row, "counts", "changed", evidence="new") for row in head if row not in base]
    same = [
        _finding(model, "counts", "same", evidence=f"{number:,} equal")
        for model, number in equal.items()
    ]
    return [*found, *new, *same]


def _judge(
    quantity: str, base: int | None, head: int | None, consented: int | None
) -> tuple[Outcome, str]:
    """Judge a difference, and say why."""
    if head is None:
        return "worse", "no longer counted"
    if base is None:
        return "changed", "new"
    if quantity not in DEFINING and head < base:
        return "better", EXACT
    if consented is not None and (head <= consented if quantity == BOUND else head == consented):
        return "changed", RENEWED
    return "worse", WORSE.get(quantity, EXACT)


def _is_equal(quantity: str, base: int | None, head: int | None) -> bool:
    if quantity == BOUND and base is not None and head is not None:
        return abs(head - base) <= RECORD_SLACK_BYTES
    return base == head


def _finding(
    row: str,
    quantity: str,
    outcome: Outcome,
    base: int | None = None,
    head: int | None = None,
    evidence: str = "",
) -> Finding:
    return Finding(
        check="counts",
        model=row,
        quantity=WORDS.get(quantity, quantity),
        outcome=outcome,
        base=base,
        head=head,
        change=head / base - 1 if base and head is not None else None,
        evidence=evidence,
    )
