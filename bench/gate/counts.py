"""Counts of two commits held against each other: they are exact, so one that grows is enough."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.counts.baseline import BOUND, FILE, WORDS, Baseline, Rows, model_of
from bench.errors import UsageError
from results.gate.verdict import Finding, Outcome

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
    """Counts that the head's author took into the file of counts, where it said something else.

    Args:
        base_tree: folder of the base.
        head_tree: folder of the head.
        stack: torch and the device, as `bench.counts.baseline.stack_of` has it.

    Returns:
        The values of the head's file; none where either file is missing or cannot be read.
    """
    try:
        before, after = (
            Baseline.read(tree / FILE).rows_for(stack) for tree in (base_tree, head_tree)
        )
    except UsageError:
        return {}
    changed = {row: _changed(before.get(row, {}), counts) for row, counts in after.items()}
    return {row: counts for row, counts in changed.items() if counts}


def judge_counts(
    base: Mapping[str, Counts], head: Mapping[str, Counts], consented: Mapping[str, Counts]
) -> list[Finding]:
    """Each count that differs, each row that is gone or new, and for each model what is equal.

    Args:
        base: counts by row and quantity.
        head: the same of the head.
        consented: what the head's author has taken into the file of counts.
    """
    if not base:
        return [_finding("all", "counts", "unusable", evidence="nothing was counted on the base")]
    found: list[Finding] = []
    for row, counts in base.items():
        if row in head:
            found += _differences(row, counts, head[row], consented.get(row, {}))
        else:
            found.append(_finding(row, "counts", "worse", evidence=_gone(row, base, head)))
    new = [row for row in head if row not in base]
    found += [_finding(row, "counts", "changed", evidence="new") for row in new]
    return [*found, *_equal(base, head)]


def _changed(before: Counts, after: Counts) -> dict[str, int]:
    """What the later file has otherwise; a bound only where it is raised."""
    return {
        quantity: value
        for quantity, value in after.items()
        if quantity in before and value != before[quantity]
        if quantity != BOUND or value > before[quantity]
    }


def _differences(row: str, base: Counts, head: Counts, consented: Counts) -> Iterator[Finding]:
    for quantity in dict.fromkeys((*WORDS, *base, *head)):  # in the order of the words
        before, after = base.get(quantity), head.get(quantity)
        if not _is_equal(quantity, before, after):
            outcome, evidence = _judge(quantity, before, after, consented.get(quantity))
            yield _finding(row, quantity, outcome, before, after, evidence)


def _judge(
    quantity: str, base: int | None, head: int | None, consented: int | None
) -> tuple[Outcome, str]:
    """What a difference is, and why."""
    if head is None:
        return "worse", "no longer counted"
    if base is None:
        return "changed", "new"
    if quantity not in DEFINING and head < base:
        return "better", EXACT
    if consented is not None and _covers(quantity, consented, head):
        return "changed", RENEWED
    return "worse", WORSE.get(quantity, EXACT)


def _covers(quantity: str, consented: int, found: int) -> bool:
    return found <= consented if quantity == BOUND else found == consented


def _is_equal(quantity: str, base: int | None, head: int | None) -> bool:
    if quantity == BOUND and base is not None and head is not None:
        return abs(head - base) <= RECORD_SLACK_BYTES
    return base == head


def _gone(row: str, base: Mapping[str, Counts], head: Mapping[str, Counts]) -> str:
    """That a row is gone; and, of a model that is, which new one has all its counts."""
    model, known = model_of(row), {model_of(name) for name in base}
    lost = _rows_of(model, base)
    new = dict.fromkeys(model_of(name) for name in head if model_of(name) not in known)
    alike = [name for name in new if _rows_of(name, head) == lost]
    is_gone = not any(model_of(name) == model for name in head)
    return f"gone; renamed to {alike[0]}?" if is_gone and alike else "gone"


def _rows_of(model: str, rows: Mapping[str, Counts]) -> dict[str, dict[str, int]]:
    """The rows of one model by what follows its name, without what varies."""
    return {
        row.removeprefix(model): {q: value for q, value in counts.items() if q != BOUND}
        for row, counts in rows.items()
        if model_of(row) == model
    }


def _equal(base: Mapping[str, Counts], head: Mapping[str, Counts]) -> Iterator[Finding]:
    """For each model how many of its counts are the same."""
    numbers: dict[str, int] = {}
    for row, counts in base.items():
        after = head.get(row, {})
        equal = sum(_is_equal(name, value, after.get(name)) for name, value in counts.items())
        numbers[model_of(row)] = numbers.get(model_of(row), 0) + equal
    for model, number in numbers.items():
        if number:
            yield _finding(model, "counts", "same", evidence=f"{number:,} equal")


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
