"""The rows of two sets of records, which of them stand for each other, and what is refused."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from results.errors import NotComparable
from results.gate.pairs import BASE, HEAD
from results.records.record import RunRecord
from results.rows.comparable import HELD_EQUAL, asked_for, held_equal, is_ladder, labels
from results.rows.summary import Summary
from results.text import cut, distinct, listed

MOST_NAMED = 4
Key = tuple[Any, ...]  # the values of asked_for
Rows = Mapping[Key, Summary]


def gather(name: str, records: Sequence[RunRecord]) -> tuple[Rows, list[str]]:
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
        notes.append(f"runs of {len(commits)} commits together ({named(commits)})")
    if any(commit.endswith("+") for commit in commits):
        notes.append("measured with changes that are in no commit")
    return rows, [f"{name}: {note}" for note in notes]


def check_sides(base: Rows, head: Rows) -> None:
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


def row_names(base: Rows, head: Rows) -> dict[Key, str]:
    """A name for each row of either side: its model, and what tells it from its namesakes."""
    rows = {**base, **head}
    asked = [asked_for(row.spec) for row in rows.values()]
    # a comma would make it a row of counts, as verdicts have them
    return {key: label.replace(", ", " ") for key, label in zip(rows, labels(asked), strict=True)}


def difference_lines(names: Mapping[Key, str], base: Rows, head: Rows) -> list[str]:
    """What else differs between rows that stand for each other, a fact a line."""
    bearers: dict[str, list[str]] = {}
    for key, name in names.items():
        if key in base and key in head:
            for fact in _differences(base[key], head[key]):
                bearers.setdefault(fact, []).append(name)
    return [f"{named(rows)}: {fact}" for fact, rows in bearers.items()]


def named(texts: Sequence[str]) -> str:
    """The first of the texts, and how many more there are."""
    return listed(distinct(texts), MOST_NAMED)


def _differences(base: Summary, head: Summary) -> Iterator[str]:
    num_before, num_after = (side.n_seeds + side.n_failed for side in (base, head))
    if num_after < num_before:
        yield f"the head has {num_after} of {num_before} seeds"
    before, after = (side.spec["recipe"] for side in (base, head))
    fields = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    if fields:
        yield f"the recipe has another {named(fields)}"
    if base.spec.get("model_hash") != head.spec.get("model_hash"):
        yield "the file of the model has changed"
    if base.plans != head.plans:
        yield f"the plan was {' / '.join(base.plans)} and is {' / '.join(head.plans)}"
    quiet = {*base.flags, "mixed_commits", "mixed_plans"}  # the last two have lines of their own
    if flags := [flag for flag in head.flags if flag not in quiet]:
        yield f"only the head is flagged {named(flags)}"


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
                f"of {cut(row.model)} the {field} is {cut(str(before[field]))} in the {BASE} "
                f"but {cut(str(after[field]))} in the {HEAD}"
            )
    theirs, ours = (named([cut(row.model) for row in rows]) for rows in (base, head))
    return f"the base has {theirs}, the head {ours}"
