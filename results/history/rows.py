"""Rows of a history: each model over the commits, in order of time, against the row before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from results.rows.comparable import differing_field
from results.rows.rows import ROW_KEYS, brief_rows, rows_of
from results.rows.summary import Summary
from results.statistics import t_interval

# Keys are only ever added, at the end: programs read them.
HISTORY_KEYS = (
    *ROW_KEYS,
    "commit",
    "commit_time_utc",
    "test_accuracy_change",
    "images_per_s_ratio",
    "peak_memory_ratio",
    "within_noise",
    "not_comparable",
)
_CHANGES = {
    "test_accuracy": "test_accuracy_change",
    "images_per_s": "images_per_s_ratio",
    "peak_memory_bytes": "peak_memory_ratio",
}
Interval = Sequence[float] | None


@dataclass(frozen=True)
class _CommitRow:
    summary: Summary
    row: dict[str, Any]

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """What the seeds say of each figure that has a change, at 95 %."""
        return {
            "test_accuracy": self.row["test_accuracy_ci95"],
            "images_per_s": t_interval(self.summary.rates()),
            "peak_memory_bytes": self.summary.interval("peak_memory"),
        }


def history_rows(summaries: Sequence[Summary], *, is_brief: bool = False) -> list[dict[str, Any]]:
    """A row for each summary, its keys exactly HISTORY_KEYS: models together, oldest commit first.

    Changes are against the last row above of the same model that has numbers: a difference of
    accuracies, ratios of images/s and memory. They are None where there is no such row, or where
    `not_comparable` names what else differs. `within_noise` lists those that chance may have made:
    the 95 % intervals over the seeds overlap, or one of the rows has no more than one seed.

    Args:
        summaries: Configurations, grouped by commit.
        is_brief: Only with the keys that the text of a history is made of: half the time.
    """
    rows = brief_rows(summaries) if is_brief else rows_of(summaries)
    times = commit_times(summaries)
    for summary, row in zip(summaries, rows, strict=True):
        row["commit"] = summary.commits[0]
        row["commit_time_utc"] = times[row["commit"]]
    entries = [_CommitRow(*pair) for pair in zip(summaries, rows, strict=True)]
    entries.sort(key=_order)
    for before, entry in zip(_predecessors(entries), entries, strict=True):
        entry.row.update(_changes(before, entry))
    return [entry.row for entry in entries]


def commit_times(summaries: Sequence[Summary]) -> dict[str, str | None]:
    """When the first record of each commit was made, as ISO 8601 in UTC to the second."""
    first: dict[str, str | None] = {}
    for summary in summaries:
        times = [_utc_text(record.provenance.get("time_utc")) for record in summary.records]
        commit = summary.commits[0]
        first[commit] = min(filter(None, [*times, first.get(commit)]), default=None)
    return first


def _utc_text(time: Any) -> str | None:  # noqa: ANN401 - a record may hold any JSON value
    """The time in the form that sorts as time does; None where it is none."""
    if not isinstance(time, str):
        return None
    if len(time) == 25 and time[10] == "T" and time.endswith("+00:00"):  # as we write it
        return time
    try:
        known = datetime.fromisoformat(time)
        known = known.replace(tzinfo=known.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return known.isoformat(timespec="seconds")


def _order(entry: _CommitRow) -> tuple[str | bool, ...]:
    """Models together, within them what cannot be compared, then time; unknown times last."""
    spec, row = entry.summary.spec, entry.row
    kind = (row["model"], row["recipe"], row["precision"], row["budget"], row["target"])
    time = row["commit_time_utc"]
    return *map(str, kind), str(spec["evaluation_split"]), time is None, time or "", row["commit"]


def _predecessors(entries: Sequence[_CommitRow]) -> Iterator[_CommitRow | None]:
    """For each entry the last one before it, of the same model, that has numbers."""
    last: _CommitRow | None = None
    for entry in entries:
        yield last if last and last.summary.model == entry.summary.model else None
        last = entry if entry.row["status"] == "ok" else last


def _changes(before: _CommitRow | None, now: _CommitRow) -> dict[str, Any]:
    changes: dict[str, Any] = dict.fromkeys(_CHANGES.values())
    changes |= {"within_noise": [], "not_comparable": None}
    if before is None or now.row["status"] != "ok":
        return changes
    field = _what_differs(before, now)
    if field is not None:
        return changes | {"not_comparable": field}
    for key, name in _CHANGES.items():
        changes[name] = _change(key, before.row[key], now.row[key])
    changes["within_noise"] = [
        name
        for key, name in _CHANGES.items()
        if changes[name] is not None and _overlap(before.intervals[key], now.intervals[key])
    ]
    return changes


def _what_differs(before: _CommitRow, now: _CommitRow) -> str | None:
    for key in ("recipe", "precision"):
        if before.row[key] != now.row[key]:
            return key
    first, second = before.summary.records[0], now.summary.records[0]
    if first.spec is second.spec and first.environment is second.environment:
        return None  # shared by the records of one store
    return differing_field(first, second)


def _change(key: str, before: float | None, now: float | None) -> float | None:
    if before is None or now is None:
        return None
    if key == "test_accuracy":
        return now - before
    return now / before if before else None


def _overlap(before: Interval, now: Interval) -> bool:
    return before is None or now is None or (before[0] <= now[1] and now[0] <= before[1])
