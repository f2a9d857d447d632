"""Two sets of records held against each other: what got worse from the base to the head."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from results.compare_checks import (
    COUNTS,
    accuracy_finding,
    count_findings,
    memory_finding,
    run_finding,
    unknown_finding,
)
from results.compare_cost import energy_finding, speed_finding
from results.compare_sides import BASE, HEAD, check_sides, difference_lines, gather, row_names
from results.gate.verdict import Check, Finding
from results.records import RunRecord
from results.summary import Summary

EXPECTED: Mapping[str, Check] = {  # what a run that ended well knows
    "train_time": "speed",
    "test_accuracy": "accuracy",
    "peak_memory": "memory",
    **dict.fromkeys(COUNTS, "counts"),
}
ADVICE = (
    "speed: stored runs were not measured in turns, so much of it may be chance; "
    "fmnist-bench gate --base REV measures two commits in turns"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What decides; fractions, but for the bytes.

    Attributes:
        threshold: change of seconds, joules or peak memory that counts.
        margin: of mean accuracy that may be lost.
        least_change: that an interval must clear as well, where processes were repeated.
        process_sd: standard deviation of what processes alone do, where they were not.
        memory_bytes: that peak memory must change by as well: of a small model much is little.
    """

    threshold: float = 0.10
    margin: float = 0.01
    least_change: float = 0.02
    process_sd: float = 0.20
    memory_bytes: int = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two sets of records come to.

    Attributes:
        findings: row by row, in the order of the base, then what only the head has.
        notes: lines on what was left out, and on what else differs.
        record_ids: of each row, those behind its findings, by side.
    """

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    record_ids: dict[str, dict[str, list[str]]] = field(default_factory=dict)


def compare_records(
    base: Sequence[RunRecord], head: Sequence[RunRecord], rule: Rule | None = None
) -> Comparison:
    """What got worse; a row is all runs that were asked for alike but for the seed.

    Args:
        base: What the head is held to.
        head: What is judged.
        rule: What decides; the fields of Rule where it is left out.

    Raises:
        NotComparable: Environment, data, budget, evaluation split or target differ, or the two
            have no row in common.
    """
    sides = {BASE: gather(BASE, base), HEAD: gather(HEAD, head)}
    theirs, ours = sides[BASE].rows, sides[HEAD].rows
    check_sides(theirs, ours)
    names = row_names(theirs, ours)
    findings: list[Finding] = []
    for key, name in names.items():
        findings += _findings(name, theirs.get(key), ours.get(key), rule or Rule())
    notes = [*sides[BASE].notes, *sides[HEAD].notes, *difference_lines(names, theirs, ours)]
    notes += [ADVICE] if any(_is_open(finding) for finding in findings) else []
    record_ids = {
        name: {s: list(side.rows[key].record_ids) for s, side in sides.items() if key in side.rows}
        for key, name in names.items()
    }
    return Comparison(tuple(findings), tuple(notes), record_ids)


def _findings(
    name: str, base: Summary | None, head: Summary | None, rule: Rule
) -> Iterator[Finding]:
    """All that is said of one row, in the order in which a reader asks."""
    yield run_finding(name, base, head)
    if base is None or head is None or not (base.finished and head.finished):
        return
    checks = (speed_finding, accuracy_finding, memory_finding, energy_finding)
    yield from filter(None, (check(name, base, head, rule) for check in checks))
    yield from count_findings(name, base, head)
    unknown = (unknown_finding(check, name, what, base, head) for what, check in EXPECTED.items())
    yield from filter(None, unknown)


def _is_open(finding: Finding) -> bool:
    return finding.check in {"speed", "energy"} and finding.outcome == "unclear"
