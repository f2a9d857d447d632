"""The rows of two sets of records, which of them stand for each other, and what is refused."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Side:
    """One set of records.

    Attributes:
        rows: runs that were asked for alike, whatever their seed.
        notes: lines on what was left out, and on commits.
    """

    rows: Rows
    notes: tuple[str, ...]


def gather(name: str, records: Sequence[RunRecord]) -> Side:
    """The rows of the base or the head.

    Raises:
        NotComparable: There are none.
    """
    ordinary = [record for record in records if not is_ladder(record)]
    if not ordinary:
        raise NotComparable(f"nothing to compare: the {name} has no ordinary run")
    groups: dict[Key, list[RunRecord]] = {}
    for record in ordinary:
        groups.setdefault(tuple(asked_for(record.spec).values()), []).append(record)
    rows = {key: Summary(_newest(group)) for key, group in groups.items()}
    num_rungs = len(records) - len(ordinary)
    return Side(rows, tuple(_notes(name, rows.values(), groups.values(), num_rungs)))


def check_sides(base: Rows, head: Rows) -> None:
    """Refuses two sets that were not measured alike.

    Raises:
        NotComparable: In one line, environment, data, budget, evaluation split or target differ,
            or the two have no row in common.
    """
    first = next(iter(base.values())).records[0]
    for side, rows in ((BASE, base), (HEAD, head)):
        for record in _of_each_environment(rows.values()):
            _check_equal(BASE, first.environment, side, record.environment)
    gone = [row for key, row in base.items() if key not in head]
    new = [row for key, row in head.items() if key not in base]
    new_of = {_identity(row): row for row in new}
    for row in gone:
        if other := new_of.get(_identity(row)):
            _check_equal(BASE, held_equal(row.records[0]), HEAD, held_equal(other.records[0]))
    if len(gone) == len(base):
        raise NotComparable(_why_none(gone, new))


def row_names(base: Rows, head: Rows) -> dict[Key, str]:
    """A name for each row of either side: its model, and what tells it from its namesakes."""
    rows = {**base, **head}
    asked = [asked_for(row.spec) for row in rows.values()]
    # a comma would make it a row of counts, as verdicts have them
    return {key: label.replace(", ", " ") for key, label in zip(rows, labels(asked), strict=True)}


def _newest(group: Sequence[RunRecord]) -> tuple[RunRecord, ...]:
    """The runs like the last one: a recipe may have been changed under its name."""
    return tuple(record for record in group if record.config_id == group[-1].config_id)


def _notes(
    side: str, rows: Iterable[Summary], groups: Iterable[Sequence[RunRecord]], num_rungs: int
) -> Iterator[str]:
    if num_rungs:
        yield f"{side}: {num_rungs} records of ladders left out: they compare plans, not commits"
    numbers: dict[str, int] = {}
    for group in groups:
        for record in group:
            if record.config_id != group[-1].config_id:
                reason = _why_old(record, group[-1])
                numbers[reason] = numbers.get(reason, 0) + 1
    for reason, number in numbers.items():
        yield f"{side}: {number} records left out: a later run has {reason}"
    commits = list(dict.fromkeys(commit for row in rows for commit in row.commits))
    if len(commits) > 1:
        yield f"{side}: runs of {len(commits)} commits together ({listed(commits, MOST_NAMED)})"
    if any(commit.endswith("+") for commit in commits):
        yield f"{side}: measured with changes that are in no commit"


def _why_old(record: RunRecord, newest: RunRecord) -> str:
    if record.spec["recipe"] != newest.spec["recipe"]:
        return "another recipe of that name"
    if record.spec.get("model_hash") != newest.spec.get("model_hash"):
        return "another file of that model"
    return "other settings"


def _of_each_environment(rows: Iterable[Summary]) -> Iterator[RunRecord]:
    records = {id(record.environment): record for row in rows for record in row.records}
    return iter(records.values())


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
                f"nothing to compare: of {cut(row.model)} the {field} is {cut(str(before[field]))} "
                f"in the {BASE} but {cut(str(after[field]))} in the {HEAD}"
            )
    models = (listed(distinct(cut(row.model) for row in rows), MOST_NAMED) for rows in (base, head))
    return "nothing to compare: the base has {}, the head {}".format(*models)
