"""Ladders: how much faster each rung is than the first, and when its compilation has paid.

A ladder is the plans of one model, measured in turns in one run. Each rung is a record whose
`throughput` holds one value a round; a ratio is taken round by round, so that whatever slowed the
machine down in one round cancels out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from results.records.record import RunRecord
from results.rows.comparable import LADDER, is_ladder, is_time_budget
from results.statistics import median, median_interval

AUTO_RUNG = "auto"  # a choice among plans, no technique of its own
NEVER = "never"
WITH_NUMBERS = ("ok", "interrupted")  # an interrupted ladder has fewer rounds, all of them whole
LADDER_KEYS = (  # keys are only ever added, at the end: programs read them
    "model",
    "rung",
    "plan",
    "precision",
    "images_per_s",
    "ratio",
    "ratio_ci95",
    "compile_time_s",
    "break_even_epochs",
    "total_s",
    "epochs_in_budget",
    "status",
    "reason",
    "rounds",
    "adds",
    "budget",
    "recipe",
    "batch_size",
    "device",
    "record_id",
    "kernels_per_step",
    "floor_s",
    "percent_of_floor",
    "binding_term",
    "mfu",
)


def group_ladders(records: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """The rungs of each ladder from the bottom up, in the order in which the ladders were run.

    A ladder that was broken off and then run again does not count.
    """
    groups: dict[tuple[str, str], list[RunRecord]] = {}
    for record in filter(is_ladder, records):
        key = (str(record.spec["model"]), str(record.provenance.get(LADDER)))
        groups.setdefault(key, []).append(record)
    ladders = [sorted(group, key=lambda rung: rung.spec["rung_index"]) for group in groups.values()]
    return [
        ladder
        for number, ladder in enumerate(ladders)
        if not _is_replaced(ladder, ladders[number + 1 :])
    ]


def ladder_rows(records: Iterable[RunRecord]) -> list[dict[str, Any]]:
    """A row for each rung, its keys exactly LADDER_KEYS, None for what is unknown."""
    return [row for ladder in group_ladders(records) for row in _rows(ladder)]


def first_measured(ladder: Sequence[RunRecord]) -> RunRecord | None:
    """The rung that ratios refer to: the lowest with numbers."""
    return next((rung for rung in ladder if has_numbers(rung)), None)


def has_numbers(rung: RunRecord) -> bool:
    """Whether its turns stand for its plan: not those of a rung that failed, or stood still."""
    turns = rung.measurements.get("throughput") if rung.status in WITH_NUMBERS else None
    return turns is not None and min(turns.values) > 0


def rivals(rows: Sequence[Mapping[str, Any]]) -> list[bool]:
    """For each row, whether it competes for the best of its ladder.

    `auto` only chooses: it competes where it came to a plan that no other rung has.
    """
    climbed = {_plan_of(row) for row in rows if row["rung"] != AUTO_RUNG}
    return [
        row["ratio"] is not None and (row["rung"] != AUTO_RUNG or _plan_of(row) not in climbed)
        for row in rows
    ]


def _plan_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["model"], row["plan"], row["precision"]


def _is_replaced(ladder: Sequence[RunRecord], later: Sequence[Sequence[RunRecord]]) -> bool:
    is_broken_off = any(rung.status in {"interrupted", "crashed", "timeout"} for rung in ladder)
    return is_broken_off and any(_identity(other[0]) == _identity(ladder[0]) for other in later)


def _identity(rung: RunRecord) -> tuple[Any, ...]:
    spec = rung.spec
    return spec["model"], spec["recipe"]["name"], spec["budget"], rung.environment


def _rows(ladder: Sequence[RunRecord]) -> list[dict[str, Any]]:
    first = first_measured(ladder)
    rows = []
    for rung in ladder:
        row = _facts(rung)
        if has_numbers(rung) and first is not None:
            row |= _ratio(rung, first) | _performance(rung) | _limit(rung)
            row["break_even_epochs"] = _break_even(rung, ladder)
        rows.append({key: row.get(key) for key in LADDER_KEYS})
    return rows


def _facts(rung: RunRecord) -> dict[str, Any]:
    turns, spec = rung.measurements.get("throughput"), rung.spec
    return {key: spec[key] for key in ("model", "rung", "plan", "precision", "budget")} | {
        "compile_time_s": rung.value("compile_time"),
        "status": rung.status,
        "reason": rung.reason,
        "rounds": len(turns.values) if turns else 0,
        "adds": spec.get("rung_adds"),
        "recipe": spec["recipe"]["name"],
        "batch_size": spec["recipe"].get("batch_size"),
        "device": rung.environment.get("device"),
        "record_id": rung.record_id,
    }


def _ratio(rung: RunRecord, first: RunRecord) -> dict[str, Any]:
    if rung is first:
        return {"ratio": 1.0}
    own, base = (one.measurements["throughput"].values for one in (rung, first))
    ratios = [a / b for a, b in zip(own, base, strict=False)]  # the last round may be cut short
    interval = median_interval(ratios)
    return {
        "ratio": median(ratios) if ratios else None,
        "ratio_ci95": None if interval is None else list(interval),
    }


def _performance(rung: RunRecord) -> dict[str, Any]:
    """Speed, and what the budget comes to; before it: compilation, and the probe of `auto`."""
    rate, budget = _images_per_s(rung), str(rung.spec["budget"])
    images, budget_images = rung.value("images_per_epoch"), rung.value("budget_images")
    before_s = sum(rung.value(name) or 0.0 for name in ("compile_time", "probe_time"))
    train_s = budget_images / rate if budget_images is not None else None
    epochs = None
    if is_time_budget(budget):
        train_s = float(budget.removesuffix("s"))
        epochs = train_s * rate / images if images else None
    return {
        "images_per_s": rate,
        "total_s": None if train_s is None else train_s + before_s,
        "epochs_in_budget": epochs,
    }


def _limit(rung: RunRecord) -> dict[str, Any]:
    """The floor of a step, and how near the median turn came to it."""
    limit, batch_size = rung.conditions.get("limit"), rung.spec["recipe"].get("batch_size")
    floor_s, flops = rung.value("floor"), rung.value("flops_per_step")
    if not limit or not batch_size or floor_s is None:
        return {}
    step_s, rate = batch_size / _images_per_s(rung), limit.get("flops_per_s")
    return {
        "kernels_per_step": rung.value("kernels_per_step"),
        "floor_s": floor_s,
        "percent_of_floor": 100 * floor_s / step_s,
        "binding_term": limit.get("binds"),
        "mfu": flops / rate / step_s if flops is not None and rate else None,
    }


def _break_even(rung: RunRecord, ladder: Sequence[RunRecord]) -> float | str | None:
    """Epochs after which a compiled rung has caught up with the best uncompiled one.

    That of the same precision: compilation shall not get the credit for another.
    """
    compile_s, images = rung.value("compile_time"), rung.value("images_per_epoch")
    uncompiled = [
        _images_per_s(other)
        for other in ladder
        if has_numbers(other)
        and other.spec["rung"] != AUTO_RUNG
        and not other.spec.get("is_compiled")
        and other.spec["precision"] == rung.spec["precision"]
    ]
    is_candidate = rung.spec.get("is_compiled") and rung.spec["rung"] != AUTO_RUNG
    if not is_candidate or not uncompiled or compile_s is None or images is None:
        return None
    saved_s = images / max(uncompiled) - images / _images_per_s(rung)
    return compile_s / saved_s if saved_s > 0 else NEVER


def _images_per_s(rung: RunRecord) -> float:
    return rung.measurements["throughput"].median()
