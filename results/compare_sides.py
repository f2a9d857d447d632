"""The rows of two sets of records, which of them stand for each other, and what else differs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from results.comparison import HELD_EQUAL, asked_for, held_equal, labels
from results.errors import NotComparable
from results.ladder import is_ladder
from results.records import RunRecord
from results.summary import Summary

BASE, HEAD = "base", "head"
MOST_NAMED = 4
QUIET_FLAGS = ("mixed_commits", "mixed_plans")  # have lines of their own
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
    num_old = len(ordinary) - sum(len(row.records) for row in rows.values())
    return Side(rows, tuple(_notes(name, rows.values(), len(records) - len(ordinary), num_old)))


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
    for ours, theirs in product(gone, new):
        if _identity(ours) == _identity(theirs):
            _check_equal(BASE, held_equal(ours.records[0]), HEAD, held_equal(theirs.records[0]))
    if len(gone) == len(base):
        raise NotComparable(_why_none(gone, new))


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
    return [f"{_some(rows)}: {fact}" for fact, rows in bearers.items()]


def _newest(group: Sequence[RunRecord]) -> tuple[RunRecord, ...]:
    """The runs like the last one: a recipe may have been changed under its name."""
    return tuple(record for record in group if record.config_id == group[-1].config_id)


def _notes(side: str, rows: Iterable[Summary], num_rungs: int, num_old: int) -> Iterator[str]:
    if num_rungs:
        yield f"{side}: {num_rungs} records of ladders left out: they compare plans, not commits"
    if num_old:
        yield f"{side}: {num_old} records left out: a later run has another recipe of that name"
    commits = list(dict.fromkeys(commit for row in rows for commit in row.commits))
    if len(commits) > 1:
        yield f"{side}: runs of {len(commits)} commits together ({_some(commits)})"
    if any(commit.endswith("+") for commit in commits):
        yield f"{side}: measured with changes that are in no commit"


def _of_each_environment(rows: Iterable[Summary]) -> Iterator[RunRecord]:
    records = {id(record.environment): record for row in rows for record in row.records}
    return iter(records.values())


def _check_equal(
    side: str, ours: Mapping[str, Any], other_side: str, theirs: Mapping[str, Any]
) -> None:
    for field in {"data_hash": None, **ours, **theirs}:
        if ours.get(field) != theirs.get(field):
            raise NotComparable(
                f"not comparable: {field} is {ours.get(field)} in the {side} but "
                f"{theirs.get(field)} in the {other_side}; measure both alike"
            )


def _identity(row: Summary) -> tuple[Any, ...]:
    """What was asked for, without what must be equal."""
    return tuple(value for key, value in asked_for(row.spec).items() if key not in HELD_EQUAL)


def _why_none(base: Sequence[Summary], head: Sequence[Summary]) -> str:
    """Why two sets have no row in common: a model in which they differ, or other models."""
    for ours, theirs in product(base, head):
        before, after = asked_for(ours.spec), asked_for(theirs.spec)
        if ours.model == theirs.model:
            field = next(key for key in before if before[key] != after[key])
            return (
                f"nothing to compare: of {ours.model} the {field} is {before[field]} in the "
                f"{BASE} but {after[field]} in the {HEAD}"
            )
    models = (_some([row.model for row in rows]) for rows in (base, head))
    return "nothing to compare: the base has {}, the head {}".format(*models)


def _differences(base: Summary, head: Summary) -> Iterator[str]:
    before, after = (side.spec["recipe"] for side in (base, head))
    fields = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    if fields:
        yield f"the recipe has another {_some(fields)}"
    if base.plans != head.plans:
        plans = (" / ".join(side.plans) for side in (base, head))
        yield "the plan was {} and is {}".format(*plans)
    flags = [flag for flag in head.flags if flag not in (*base.flags, *QUIET_FLAGS)]
    if flags:
        yield f"only the head is flagged {_some(flags)}"


def _some(texts: Sequence[str]) -> str:
    named = list(dict.fromkeys(texts))
    if len(named) <= MOST_NAMED + 1:
        return ", ".join(named)
    return f"{', '.join(named[:MOST_NAMED])} and {len(named) - MOST_NAMED} more"
