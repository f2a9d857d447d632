"""The names of models as a person reads them: a net of a user's file without needless folders.

A record keeps the whole name, `path/to/file.py:CALLABLE`, and so does what programs read. Whoever
shows records to a person gives all that stand together to `with_short_names` first: tables, lines
below them, charts and pages made of its records then call a row the same.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
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
