"""Two sets of records held against each other: what got worse from the base to the head."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from results.compare.checks import (
    Match,
    Rule,
    accuracy_finding,
    count_findings,
    memory_finding,
    run_finding,
)
from results.compare.cost import BLIND, energy_finding, num_costs, speed_finding
from results.compare.sides import Rows, check_sides, difference_lines, gather, named, row_names
from results.gate.pairs import BASE, HEAD
from results.gate.verdict import Finding
from results.records.record import RunRecord

ADVICE = (
    "speed: stored runs were not measured in turns, so much of it may be chance; "
    "fmnist-bench gate --base REV measures two commits in turns"
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two sets of records come to."""

    findings: tuple[Finding, ...]  # row by row, in the order of the base, then the head's own
    notes: tuple[str, ...]  # on what was left out, and on what else differs
    record_ids: dict[str, dict[str, list[str]]]  # behind the findings, by row and side


def compare_records(
    base: Sequence[RunRecord], head: Sequence[RunRecord], rule: Rule | None = None
) -> Comparison:
    """Find what got worse in the head; a row is all runs asked for alike but for the seed.

    Raises:
        NotComparable: Environment, data, budget, evaluation split or target differ, or the two
            have no row in common.
    """
    rule = rule or Rule()
    (theirs, base_notes), (ours, head_notes) = gather(BASE, base), gather(HEAD, head)
    check_sides(theirs, ours)
    names = row_names(theirs, ours)
    num_tests = sum(num_costs(theirs[key], ours[key]) for key in theirs if key in ours)
    findings: list[Finding] = []
    for key, name in names.items():
        before, after = theirs.get(key), ours.get(key)
        findings.append(run_finding(name, before, after))
        if before and after and before.finished and after.finished:
            match = Match(name, before, after, rule, num_tests)
            findings[-1:] = _with_measured(findings[-1], match)
    notes = (
        *base_notes,
        *head_notes,
        *_shared_records(theirs, ours),
        *difference_lines(names, theirs, ours),
        *_advice(findings, rule),
    )
    sides = {BASE: theirs, HEAD: ours}
    record_ids = {
        name: {side: list(rows[key].record_ids) for side, rows in sides.items() if key in rows}
        for key, name in names.items()
    }
    return Comparison(tuple(findings), notes, record_ids)


def _with_measured(ending: Finding, match: Match) -> list[Finding]:
    """All that is said of one row, in the order in which a reader asks."""
    found = [
        speed_finding(match),
        accuracy_finding(match),
        memory_finding(match),
        energy_finding(match),
        *count_findings(match),
    ]
    measured = [finding for finding in found if finding]
    if ending.outcome == "same" and all(finding.outcome == "skipped" for finding in measured):
        evidence = "ended well, but the base measured nothing that the head could be held to"
        ending = replace(ending, outcome="skipped", evidence=evidence)
    return [ending, *measured]


def _shared_records(base: Rows, head: Rows) -> Iterator[str]:
    """That records stand on both sides, where some do: they are held to themselves."""
    theirs, ours = ({i for row in side.values() for i in row.record_ids} for side in (base, head))
    num_shared = len(theirs & ours)
    if theirs == ours:
        yield "the base and the head are the same records"
    elif num_shared:
        are = "records are" if num_shared > 1 else "record is"
        yield f"{num_shared} {are} both in the base and the head"


def _advice(findings: Sequence[Finding], rule: Rule) -> Iterator[str]:
    """That `gate` measures speed more precisely, where it is in question."""
    costs = [finding for finding in findings if finding.check in {"speed", "energy"}]
    hidden = [
        finding
        for finding in costs
        if (finding.change or 0.0) > rule.threshold and finding.evidence.startswith(BLIND)
    ]
    if hidden:
        models = named([finding.model for finding in hidden])
        yield f"{models}: more than {rule.threshold * 100:g} % up, but {hidden[0].evidence}"
    if any(finding.outcome in {"worse", "unclear"} for finding in costs):
        yield ADVICE
