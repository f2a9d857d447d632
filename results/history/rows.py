"""Rows of a history: each model over the commits, in order of time, against the row before."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from results.rows.comparable import differing_field
from results.rows.rows import ROW_KEYS, rows_of
from results.rows.summary import Summary
from results.statistics import t_interval

_CHANGES = {
    "test_accuracy": "test_accuracy_change",
    "images_per_s": "images_per_s_ratio",
    "peak_memory_bytes": "peak_memory_ratio",
}
# Keys are only ever added, at the end: programs read them.
_OWN_KEYS = ("commit", "commit_time_utc", *_CHANGES.values(), "within_noise", "not_comparable")
HISTORY_KEYS = (*ROW_KEYS, *_OWN_KEYS)
Row = dict[str, Any]


def history_rows(summaries: Sequence[Summary]) -> list[Row]:
    """A row for each summary, its keys exactly HISTORY_KEYS: models together, oldest commit first.

    Changes are against the last row above of the same model that has numbers: a difference of
    accuracies, ratios of images/s and memory. They are None where there is no such row, or where
    `not_comparable` names what else differs. `within_noise` lists those that chance may have made:
    the 95 % intervals over the seeds overlap, or one of the rows has no more than one seed.
    """
    times = commit_times(summaries)
    pairs = list(zip(summaries, rows_of(summaries), strict=True))
    for summary, row in pairs:
        row["commit"] = summary.commits[0]
        row["commit_time_utc"] = times[row["commit"]]
    pairs.sort(key=lambda pair: _order(*pair))
    last: tuple[Summary, Row] | None = None
    for summary, row in pairs:
        before = last if last and last[0].model == summary.model else None
        row.update(_changes(before, (summary, row)))
        last = (summary, row) if row["status"] == "ok" else last
    return [row for _, row in pairs]


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
    try:
        known = datetime.fromisoformat(time)
        known = known.replace(tzinfo=known.tzinfo or UTC).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return known.isoformat(timespec="seconds")


def _order(summary: Summary, row: Row) -> tuple[str | bool, ...]:
    """Models together, within them what cannot be compared, then time; unknown times last."""
    kind = [row[key] for key in ("model", "recipe", "precision", "budget", "target")]
    time = row["commit_time_utc"]
    split = summary.spec["evaluation_split"]
    return *map(str, [*kind, split]), time is None, time or "", row["commit"]


def _changes(before: tuple[Summary, Row] | None, now: tuple[Summary, Row]) -> Row:
    changes: Row = dict.fromkeys(_CHANGES.values()) | {"within_noise": [], "not_comparable": None}
    if before is None or now[1]["status"] != "ok":
        return changes
    own = next((key for key in ("recipe", "precision") if before[1][key] != now[1][key]), None)
    if field := own or differing_field(before[0].records[0], now[0].records[0]):
        return changes | {"not_comparable": field}
    for key, name in _CHANGES.items():
        first, second = before[1][key], now[1][key]
        if first is None or second is None or (key != "test_accuracy" and not first):
            continue
        changes[name] = second - first if key == "test_accuracy" else second / first
        if _may_be_chance(key, before[0], now[0]):
            changes["within_noise"].append(name)
    return changes


def _may_be_chance(key: str, before: Summary, now: Summary) -> bool:
    """Whether the 95 % intervals over the seeds overlap, or one is unknown."""
    if key == "images_per_s":
        first, second = t_interval(before.rates()), t_interval(now.rates())
    else:
        quantity = "peak_memory" if key == "peak_memory_bytes" else key
        first, second = before.interval(quantity), now.interval(quantity)
    return first is None or second is None or (first[0] <= second[1] and second[0] <= first[1])
