"""Two sets of records held against each other: what got worse from the base to the head."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from results.compare.checks import accuracy_finding, count_findings, memory_finding, run_finding
from results.compare.cost import energy_finding, num_costs, speed_finding
from results.compare.notes import advice_lines, difference_lines, same_records_line
from results.compare.rule import Rule
from results.compare.sides import check_sides, gather, row_names
from results.gate.pairs import BASE, HEAD
from results.gate.verdict import Finding
from results.records.record import RunRecord
from results.rows.summary import Summary


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
    rule = rule or Rule()
    sides = {BASE: gather(BASE, base), HEAD: gather(HEAD, head)}
    theirs, ours = sides[BASE].rows, sides[HEAD].rows
    check_sides(theirs, ours)
    names = row_names(theirs, ours)
    num_tests = sum(num_costs(row, ours[key]) for key, row in theirs.items() if key in ours)
    findings: list[Finding] = []
    for key, name in names.items():
        findings += _findings(name, theirs.get(key), ours.get(key), rule, num_tests)
    notes = [
        *sides[BASE].notes,
        *sides[HEAD].notes,
        *same_records_line(theirs, ours),
        *difference_lines(names, theirs, ours),
        *advice_lines(findings, rule),
    ]
    record_ids = {
        name: {s: list(side.rows[key].record_ids) for s, side in sides.items() if key in side.rows}
        for key, name in names.items()
    }
    return Comparison(tuple(findings), tuple(notes), record_ids)


def _findings(
    name: str, base: Summary | None, head: Summary | None, rule: Rule, num_tests: int
) -> list[Finding]:
    """All that is said of one row, in the order in which a reader asks."""
    ending = run_finding(name, base, head)
    if base is None or head is None or not (base.finished and head.finished):
        return [ending]
    measured = list(_measured(name, base, head, rule, num_tests))
    if ending.outcome == "same" and all(finding.outcome == "skipped" for finding in measured):
        evidence = "ended well, but the base measured nothing that the head could be held to"
        ending = replace(ending, outcome="skipped", evidence=evidence)
    return [ending, *measured]


def _measured(
    name: str, base: Summary, head: Summary, rule: Rule, num_tests: int
) -> Iterator[Finding]:
    found = (
        speed_finding(name, base, head, rule, num_tests),
        accuracy_finding(name, base, head, rule),
        memory_finding(name, base, head, rule),
        energy_finding(name, base, head, rule, num_tests),
    )
    yield from filter(None, found)
    yield from count_findings(name, base, head)
