"""Two sets of records held against each other: what got worse from the base to the head.

First which rows stand for each other, and what is refused; then the findings row by row.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from results.compare.checks import (
    Match,
    Rule,
    accuracy_finding,
    count_findings,
    memory_finding,
    run_finding,
)
from results.compare.cost import BLIND, energy_finding, num_costs, speed_finding
from results.errors import NotComparable
from results.gate.pairs import BASE, HEAD
from results.gate.verdict import Finding
from results.records.record import RunRecord
from results.rows.comparable import HELD_EQUAL, asked_for, held_equal, is_ladder, labels
from results.rows.summary import Summary
from results.text import cut, cut_name, distinct, listed

MOST_NAMED = 4
Key = tuple[Any, ...]  # the values of asked_for
Rows = Mapping[Key, Summary]
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
    (theirs, base_notes), (ours, head_notes) = _gather(BASE, base), _gather(HEAD, head)
    _check_sides(theirs, ours)
    names = _row_names(theirs, ours)
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
        *_difference_lines(names, theirs, ours),
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
    """Note how many records stand on both sides: they are held to themselves."""
    theirs, ours = ({i for row in side.values() for i in row.record_ids} for side in (base, head))
    num_shared = len(theirs & ours)
    if theirs == ours:
        yield "the base and the head are the same records"
    elif num_shared:
        are = "records are" if num_shared > 1 else "record is"
        yield f"{num_shared} {are} both in the base and the head"


def _advice(findings: Sequence[Finding], rule: Rule) -> Iterator[str]:
    """Add a note that `gate` measures speed more precisely, where it is in question."""
    costs = [finding for finding in findings if finding.check in {"speed", "energy"}]
    hidden = [
        finding
        for finding in costs
        if (finding.change or 0.0) > rule.threshold and finding.evidence.startswith(BLIND)
    ]
    if hidden:
        models = _named([finding.model for finding in hidden])
        yield f"{models}: more than {rule.threshold * 100:g} % up, but {hidden[0].evidence}"
    if any(finding.outcome in {"worse", "unclear"} for finding in costs):
        yield ADVICE


def _gather(name: str, records: Sequence[RunRecord]) -> tuple[Rows, list[str]]:
    """The rows of the base or the head, runs that were asked for alike; and lines on them.

    A recipe may have been changed under its name: a row has the runs like the last one.

    Raises:
        NotComparable: There are none.
    """
    ordinary = [record for record in records if not is_ladder(record)]
    if not ordinary:
        raise NotComparable(f"nothing to compare: the {name} has no ordinary run")
    groups: dict[Key, list[RunRecord]] = {}
    for record in ordinary:
        groups.setdefault(tuple(asked_for(record.spec).values()), []).append(record)
    rows, reasons = {}, Counter[str]()
    for key, group in groups.items():
        last = group[-1]
        rows[key] = Summary(tuple(run for run in group if run.config_id == last.config_id))
        reasons.update(_why_old(run, last) for run in group if run.config_id != last.config_id)
    notes = [f"{count} records left out: a later run has {why}" for why, count in reasons.items()]
    if num_rungs := len(records) - len(ordinary):
        notes.insert(0, f"{num_rungs} records of ladders left out: they compare plans, not commits")
    commits = distinct(commit for row in rows.values() for commit in row.commits)
    if len(commits) > 1:
        notes.append(f"runs of {len(commits)} commits together ({_named(commits)})")
    if any(commit.endswith("+") for commit in commits):
        notes.append("measured with changes that are in no commit")
    return rows, [f"{name}: {note}" for note in notes]


def _check_sides(base: Rows, head: Rows) -> None:
    """Refuse two sets that were not measured alike.

    Raises:
        NotComparable: In one line, environment, data, budget, evaluation split or target differ,
            or the two have no row in common.
    """
    first = next(iter(base.values())).records[0].environment
    for side, rows in ((BASE, base), (HEAD, head)):
        records = (record for row in rows.values() for record in row.records)
        for record in records:
            _check_equal(BASE, first, side, record.environment)
    gone = [row for key, row in base.items() if key not in head]
    new = [row for key, row in head.items() if key not in base]
    new_of = {_identity(row): row for row in new}
    for row in gone:
        if other := new_of.get(_identity(row)):
            _check_equal(BASE, held_equal(row.records[0]), HEAD, held_equal(other.records[0]))
    if len(gone) == len(base):
        raise NotComparable(f"nothing to compare: {_why_none(gone, new)}")


def _row_names(base: Rows, head: Rows) -> dict[Key, str]:
    """A name for each row of either side: its model, and what tells it from its namesakes."""
    rows = {**base, **head}
    asked = [asked_for(row.spec) for row in rows.values()]
    # a comma would make it a row of counts, as verdicts have them
    return {key: label.replace(", ", " ") for key, label in zip(rows, labels(asked), strict=True)}


def _difference_lines(names: Mapping[Key, str], base: Rows, head: Rows) -> list[str]:
    """What else differs between rows that stand for each other, a fact a line."""
    bearers: dict[str, list[str]] = {}
    for key, name in names.items():
        if key in base and key in head:
            for fact in _differences(base[key], head[key]):
                bearers.setdefault(fact, []).append(name)
    return [f"{_named(rows)}: {fact}" for fact, rows in bearers.items()]


def _named(texts: Sequence[str]) -> str:
    """The first of the texts, and how many more there are."""
    return listed(distinct(texts), MOST_NAMED)


def _differences(base: Summary, head: Summary) -> Iterator[str]:
    num_before, num_after = (side.n_seeds + side.n_failed for side in (base, head))
    if num_after < num_before:
        yield f"the head has {num_after} of {num_before} seeds"
    before, after = (side.spec["recipe"] for side in (base, head))
    fields = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    if fields:
        yield f"the recipe has another {_named(fields)}"
    if base.spec.get("model_hash") != head.spec.get("model_hash"):
        yield "the file of the model has changed"
    if base.plans != head.plans:
        yield f"the plan was {' / '.join(base.plans)} and is {' / '.join(head.plans)}"
    quiet = {*base.flags, "mixed_commits", "mixed_plans"}  # the last two have lines of their own
    if flags := [flag for flag in head.flags if flag not in quiet]:
        yield f"only the head is flagged {_named(flags)}"


def _why_old(record: RunRecord, newest: RunRecord) -> str:
    if record.spec["recipe"] != newest.spec["recipe"]:
        return "another recipe of that name"
    if record.spec.get("model_hash") != newest.spec.get("model_hash"):
        return "another file of that model"
    return "other settings"


def _check_equal(
    side: str, ours: Mapping[str, Any], other_side: str, theirs: Mapping[str, Any]
) -> None:
    for field in {"data_hash": None, **ours, **theirs}:
        if ours.get(field) != theirs.get(field):
            before, after = (cut(str(values.get(field))) for values in (ours, theirs))
            raise NotComparable(
                f"not comparable: {cut(field)} is {before} in the {side} but {after} in the "
                f"{other_side}; measure both alike"
            )


def _identity(row: Summary) -> tuple[Any, ...]:
    """What was asked for, without what must be equal."""
    return tuple(value for key, value in asked_for(row.spec).items() if key not in HELD_EQUAL)


def _why_none(base: Sequence[Summary], head: Sequence[Summary]) -> str:
    """Why two sets have no row in common: a model in which they differ, or other models."""
    of_model = {row.model: row for row in reversed(head)}
    for row in base:
        if row.model in of_model:
            before, after = asked_for(row.spec), asked_for(of_model[row.model].spec)
            field = next(key for key in before if before[key] != after[key])
            return (
                f"of {cut_name(row.model)} the {field} is {cut(str(before[field]))} in the {BASE} "
                f"but {cut(str(after[field]))} in the {HEAD}"
            )
    theirs, ours = (_named([cut_name(row.model) for row in rows]) for rows in (base, head))
    return f"the base has {theirs}, the head {ours}"
