"""Table rows: plain dictionaries in base units, the keys of `--format json`."""

import math
from collections.abc import Sequence
from typing import Any

from results.errors import NotComparable, ResultsError
from results.records.record import RunRecord
from results.rows.comparable import check_comparable, pareto_cost, pareto_front
from results.rows.settings import SETTING_KEYS, setting_order, settings_of
from results.rows.summary import Summary
from results.statistics import median, stdev, wilson_interval
from results.text import distinct

# Keys are only ever added, at the end: programs read them. `--by commit` adds `commit`, and rows
# that differ in settings have these at the very end.
ROW_KEYS = (
    *("model", "status", "reason", "flags", "n_seeds", "n_failed", "num_params"),
    *("num_trainable_params", "flops_per_image", "test_accuracy", "test_accuracy_ci95"),
    *("test_loss", "train_time_s", "epoch_time_s", "epochs", "steps", "images_seen"),
    *("images_per_s", "peak_memory_bytes", "energy_j", "compile_time_s", "cold_total_s"),
    *("accuracy_per_s", "time_to_target_s", "percent_of_floor", "on_pareto_front", "budget"),
    *("recipe", "precision", "plan", "device", "record_ids", "flops_per_step"),
    *("bytes_per_step", "kernels_per_step", "mfu", "bytes_per_s", "floor_s", "binding_term"),
    *("test_accuracy_stdev", "test_accuracy_sampling_ci95", "train_accuracy", "target"),
    *("target_time_s", "n_target_missed"),
)
SETTINGS = ("precision", *SETTING_KEYS)  # by which rows may be grouped
TARGETS = ("0.80", "0.85", "0.90", "0.92", "0.94")
_LEVELS = (*map(float, TARGETS), math.inf)
DEFAULT_SORT = "test_accuracy"
_MEANS = {  # the quantity behind a key
    "test_accuracy": "test_accuracy",
    "test_loss": "test_loss",
    "train_accuracy": "train_accuracy",
    "epochs": "epochs",
    "kernels_per_step": "kernels_per_step",
    "mfu": "mfu",
    "percent_of_floor": "percent_of_floor",
    "train_time_s": "train_time",
    "epoch_time_s": "epoch_time",
    "energy_j": "energy",
    "compile_time_s": "compile_time",
    "cold_total_s": "cold_total",
    "bytes_per_s": "bandwidth",
    "floor_s": "floor",
}
_COUNTS = (
    *("num_params", "num_trainable_params", "flops_per_image", "flops_per_step"),
    *("bytes_per_step", "steps", "images_seen"),
)
MORE_IS_BETTER = (
    *("test_accuracy", "test_accuracy_ci95", "images_per_s", "accuracy_per_s"),
    *("percent_of_floor", "on_pareto_front", "mfu", "bytes_per_s"),
    *("test_accuracy_sampling_ci95", "train_accuracy"),
)


def table_rows(
    summaries: Sequence[Summary], sort: str = DEFAULT_SORT, by: str | None = None
) -> list[dict[str, Any]]:
    """A row for each summary, None for what is unknown, sorted by a key.

    Its keys are ROW_KEYS, then the settings in which the rows differ. With a setting as `by` the
    rows of each of its values stand together. Where the summaries are not comparable no row is on a
    front.

    Raises:
        ResultsError: `sort` is no key.
    """
    rows = sort_rows(rows_of(summaries, by), sort)
    return sorted(rows, key=lambda row: setting_order(row[by])) if by in SETTINGS else rows


def rows_of(summaries: Sequence[Summary], by: str | None = None) -> list[dict[str, Any]]:
    """The rows in the order of their summaries; `by` is a setting that they have in any case."""
    settings = settings_of([summary.spec for summary in summaries], also=by)
    rows = [_row(summary) | own for summary, own in zip(summaries, settings, strict=True)]
    try:
        check_comparable([record for summary in summaries for record in summary.records])
    except NotComparable:
        return rows
    for row, mark in zip(rows, pareto_front(rows, cost=pareto_cost(rows)), strict=True):
        row["on_pareto_front"] = mark
    return rows


def sort_rows(rows: Sequence[dict[str, Any]], key: str = DEFAULT_SORT) -> list[dict[str, Any]]:
    """The rows, best first: gains fall, costs rise, text is alphabetical.

    Unknown values follow the known ones, and failed rows follow all others.

    Raises:
        ResultsError: No row has such a key.
    """
    choices = list(rows[0]) if rows else list(ROW_KEYS)
    if key not in choices:
        raise ResultsError(f"cannot sort by {key!r}; choose from {', '.join(choices)}")
    return sorted(rows, key=lambda row: _sort_key(row, key))


def _row(summary: Summary) -> dict[str, Any]:
    columns = _told(summary) | _measured(summary) | _derived(summary) | _target(summary)
    row = {key: columns.get(key) for key in ROW_KEYS}
    return row | ({"commit": summary.commits[0]} if summary.by == "commit" else {})


def _told(summary: Summary) -> dict[str, Any]:
    """What the records say in words."""
    limits = [limit for record in summary.finished if (limit := record.conditions.get("limit"))]
    return {
        "model": summary.model,
        "status": summary.status,
        "reason": summary.reason,
        "flags": list(summary.flags),
        "n_seeds": summary.n_seeds,
        "n_failed": summary.n_failed,
        "budget": summary.spec["budget"],
        "recipe": summary.spec["recipe"]["name"],
        "precision": summary.spec["precision"],
        "plan": " / ".join(summary.plans),
        "device": summary.environment.get("device"),
        "record_ids": list(summary.record_ids),
        "binding_term": " / ".join(distinct(limit["binds"] for limit in limits)) or None,
    }


def _measured(summary: Summary) -> dict[str, Any]:
    """Means over the seeds; counts are whole numbers."""
    means = {key: summary.mean(quantity) for key, quantity in _MEANS.items()}
    return means | {key: _whole(summary.mean(key)) for key in _COUNTS}


def _derived(summary: Summary) -> dict[str, Any]:
    accuracy, seconds = summary.mean("test_accuracy"), summary.mean("train_time")
    images, num_images = summary.mean("images_seen"), summary.num_images
    interval, sampling = summary.interval("test_accuracy"), None
    if accuracy is not None and num_images is not None:
        sampling = list(wilson_interval(accuracy, num_images))
    # a ratio of totals: a mean of rates would overweight fast runs
    rate = images / seconds if images is not None and seconds else summary.mean("throughput")
    return {
        "test_accuracy_ci95": None if interval is None else list(interval),
        "test_accuracy_stdev": stdev(summary.values("test_accuracy")),
        "test_accuracy_sampling_ci95": sampling,
        "images_per_s": rate,
        "peak_memory_bytes": _whole(summary.maximum("peak_memory")),
        "accuracy_per_s": accuracy / seconds if accuracy is not None and seconds else None,
        "time_to_target_s": _time_to_targets(summary.finished),
    }


def _target(summary: Summary) -> dict[str, Any]:
    """Of runs that end at a target: the median seconds to it, a miss being infinitely late."""
    target = summary.spec.get("target")
    if target is None:
        return dict.fromkeys(("target", "target_time_s", "n_target_missed"))
    reached = summary.values("time_to_target")
    n_missed = summary.n_seeds - len(reached)
    times = [*reached, *[math.inf] * n_missed]
    middle = median(times) if times else math.inf
    return {
        "target": target,
        "target_time_s": middle if math.isfinite(middle) else None,
        "n_target_missed": n_missed,
    }


def _time_to_targets(records: Sequence[RunRecord]) -> dict[str, float | None] | None:
    curves = [record.curve for record in records if record.curve]
    if not curves:
        return None
    columns = zip(*(_seconds_to_targets(curve) for curve in curves), strict=True)
    medians = dict(zip(TARGETS, map(median, columns), strict=True))
    return {target: time if math.isfinite(time) else None for target, time in medians.items()}


def _seconds_to_targets(curve: Sequence[Sequence[float]]) -> list[float]:
    """When a curve first came to each of the TARGETS, which rise: one pass over its points."""
    seconds: list[float] = []
    level = _LEVELS[0]
    for point in curve:
        while point[3] >= level:
            seconds.append(point[0])
            level = _LEVELS[len(seconds)]
    # A miss is infinitely late, so that a median over the seeds counts it.
    return seconds + [math.inf] * (len(TARGETS) - len(seconds))


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _sort_key(row: dict[str, Any], key: str) -> tuple[bool, bool, Any, str]:
    value = _sortable(row[key], key)
    if value is not None and key in MORE_IS_BETTER:
        value = -value
    is_failed = row["status"] != "ok"
    return is_failed, value is None, 0 if value is None else value, row["model"]


def _sortable(value: Any, key: str) -> Any:  # noqa: ANN401 - a row holds any JSON value
    if key in SETTING_KEYS:
        return setting_order(value)
    if isinstance(value, dict):
        return value["0.90"]
    if isinstance(value, list):
        # An interval sorts by its low end, a list of names by the names.
        return value[0] if value and isinstance(value[0], float) else ", ".join(value)
    return value
