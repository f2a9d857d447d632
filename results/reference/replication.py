"""Our runs of the reference systems: which records are any, grouped, and by whose protocol."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from results.classes import CLASS_NAMES, never_predicted
from results.records.record import RunRecord
from results.reference.reported import REPORTED, Reported, find_reported
from results.rows.comparable import is_ladder
from results.rows.summary import Summary, summarize

CLEAN, FULL_TRAIN, AS_PUBLISHED = "clean", "full train", "as published"
FEW = 4  # classes that are still named one by one where they are never predicted


class Replication(NamedTuple):
    """A reference system and our runs of it: one configuration in one environment."""

    reported: Reported
    summary: Summary


def is_published(record: RunRecord) -> bool:
    """Whether a record is a run of a reference system by its own recipe, changed or not."""
    return not is_ladder(record) and _reported(record) is not None


def group_replications(records: Iterable[RunRecord]) -> list[Replication]:
    """Our runs of the reference systems, in the order of the systems; other records are left out.

    Of one system, `clean` comes before what is nearer to its publication.
    """
    summaries = summarize(record for record in records if is_published(record))
    found = [
        Replication(reported, summary)
        for summary in summaries
        if (reported := _reported(summary.records[0]))
    ]
    order = (CLEAN, FULL_TRAIN, AS_PUBLISHED)
    return sorted(found, key=lambda r: (REPORTED.index(r.reported), order.index(protocol(r))))


def protocol(replication: Replication) -> str:
    """Whose rules for split and selection the runs follow.

    `full train` keeps no validation images and selects nothing, but is not as published.
    """
    recipe = replication.summary.spec["recipe"]
    if recipe.get("protocol") == "as_published":
        return AS_PUBLISHED
    return CLEAN if recipe.get("validation_fraction") else FULL_TRAIN


def label(replication: Replication) -> str:
    """What lines below the table call a row."""
    return f"{replication.reported.system} {protocol(replication)}"


def never_predicted_by(summary: Summary) -> str | None:
    """Which classes were never predicted, by which seeds; None where all were, or it is unknown."""
    seeds: dict[str, list[str]] = {}
    for record in summary.finished:
        names = never_predicted(record.confusion) if record.confusion else ()
        if names:
            seeds.setdefault(_listed(names), []).append(str(record.spec["seed"]))
    if not seeds:
        return None
    is_single = len(summary.finished) == 1
    parts = [f"{who}" if is_single else f"{who} (seed {', '.join(s)})" for who, s in seeds.items()]
    return f"{'; '.join(parts)} never predicted"


def _listed(names: Sequence[str]) -> str:
    if len(names) > FEW:
        return f"{len(names)} of {len(CLASS_NAMES)} classes"
    return " and ".join(names)


def _reported(record: RunRecord) -> Reported | None:
    return find_reported(str(record.spec["model"]), str(record.spec["recipe"]["name"]))
