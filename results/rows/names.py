"""The names of models as a person reads them: a net of a user's file without needless folders.

A record keeps the whole name, `path/to/file.py:CALLABLE`, and so does what programs read. Whoever
shows records to a person gives all that stand together to `with_short_names` first: tables, lines
below them, charts and pages made of its records then call a row the same.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from results.records.record import RunRecord
from results.text import visible

RECORDED = "recorded_model"  # in the spec of a record to be shown: the name that it was kept under
_OF_FILE = re.compile(r".+\.py:[^/]+", re.DOTALL)


def with_short_names(records: Sequence[RunRecord]) -> list[RunRecord]:
    """The records as a person reads them, each with the shortest name that no other model has.

    That holds among these records: `net.py:Net`, or `one/net.py:Net` where there is another.
    """
    names = short_names_of(recorded_name(record.spec) for record in records)
    return [_renamed(record, names[recorded_name(record.spec)]) for record in records]


def under_one_name(
    base: Sequence[RunRecord], head: Sequence[RunRecord]
) -> tuple[list[RunRecord], dict[str, str]]:
    """The head's records, with the base's name for a net that has another path there; and those.

    Two paths are of one net where file and callable are called alike, and either the text is the
    same or a path is absolute: that of another machine or checkout. Of several the one with most
    folders in common is taken, and none where that is not one alone.
    """
    theirs, ours = _texts(base), _texts(head)
    gone, new = (
        {name: own[name] for name in own if name not in others and _OF_FILE.fullmatch(name)}
        for own, others in ((theirs, ours), (ours, theirs))
    )
    found = {name: _same_net(name, texts, gone) for name, texts in new.items()}
    takers = Counter(found.values())
    names = {name: other for name, other in found.items() if other and takers[other] == 1}
    return [_with_name_of(names, record) for record in head], names


def _texts(records: Iterable[RunRecord]) -> dict[str, set[str]]:
    """The hashes of each model's file; empty of one that is no user's."""
    texts: dict[str, set[str]] = {}
    for spec in (record.spec for record in records):
        texts.setdefault(recorded_name(spec), set()).update(filter(None, [spec.get("model_hash")]))
    return texts


def _same_net(name: str, texts: set[str], others: Mapping[str, set[str]]) -> str | None:
    folders = {
        other: _num_shared(name, other)
        for other, theirs in others.items()
        if texts & theirs or "/" in {name[0], other[0]}
    }
    most = max(folders.values(), default=0)
    nearest = [other for other, shared in folders.items() if shared == most > 0]
    return nearest[0] if len(nearest) == 1 else None


def _num_shared(name: str, other: str) -> int:
    """Count equal parts of two paths, from the file up."""
    pairs = zip(reversed(name.split("/")), reversed(other.split("/")), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _with_name_of(names: Mapping[str, str], record: RunRecord) -> RunRecord:
    name = names.get(recorded_name(record.spec))
    return replace(record, spec=record.spec | {"model": name}) if name else record


def recorded_name(spec: Mapping[str, Any]) -> str:
    """The whole name of a model, which commands understand."""
    return str(spec.get(RECORDED, spec["model"]))


def short_names_of(models: Iterable[str]) -> dict[str, str]:
    """Each model's name, of a user's file with as few folders as tell it from the others'."""
    ends = {model: _ends(model) for model in dict.fromkeys(models)}
    bearers = Counter(end for own in ends.values() for end in own)
    return {
        # a name that is the end of another one's has all of its own folders, and the other more
        model: visible(next((end for end in own if bearers[end] == 1), model))
        for model, own in ends.items()
    }


def _ends(model: str) -> list[str]:
    """What a name may be shortened to, the shortest first; itself alone where it is no file's."""
    if not _OF_FILE.fullmatch(model):
        return [model]
    parts = model.split("/")
    return ["/".join(parts[first:]) for first in reversed(range(len(parts)))]


def _renamed(record: RunRecord, name: str) -> RunRecord:
    recorded = recorded_name(record.spec)
    if name == record.spec["model"]:
        return record
    return replace(record, spec=record.spec | {"model": name, RECORDED: recorded})
