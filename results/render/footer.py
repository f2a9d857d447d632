"""The lines below a table: what was held equal, where it ran, how sure the numbers are."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from results.errors import NotComparable
from results.records.record import RunRecord
from results.render.columns import MISSED, QUIET_FLAGS, has_missed
from results.rows.certainty import certainty_lines
from results.rows.comparable import check_comparable, pareto_sentence
from results.rows.rows import sort_rows, table_rows
from results.rows.summary import NUM_TEST_IMAGES, Summary, commit_of
from results.statistics import wilson_interval
from results.text import distinct, format_count, format_latency, format_percent, listed, one_line

NEVER = f"{MISSED}: that accuracy was never reached on validation within this budget."
MOST_NAMED = 3  # commits, devices and so on that a line calls by name
FLAG_NOTES = {
    "at_chance": "no better than guessing, so it has learnt nothing",
    "throttled": "its GPU was slowed down for power or heat; the records say why",
    "under_trained": "saw less than one epoch of the training images",
    "compiled_in_clock": "a compiler ran while its clock did",
    "beat_floor": "faster than its floor: its convolutions took an algorithm with fewer FLOPs than "
    "the direct one that is counted (Winograd's), or the ceilings were measured on a busy machine: "
    "run `fmnist-bench doctor` while nothing else runs",
    "not_pretrained": "began with random weights: those that its recipe names were not to be had",
    "stopped_early": "ended before its budget: validation did not get better any more",
    "reached_target": "ended before its budget: validation reached the target",
    "resumed": "its training was interrupted and gone on with; its seconds are those of all parts",
    "resumed_inexact": "gone on with without all of its state (the scale of fp16's gradients, or "
    "random numbers of further GPUs)",
    "save_failed": "a saved model of it could not be written; the records say why",
    "tensorboard_failed": "its files for TensorBoard could not be written to the end",
    "mixed_commits": "its runs come from several commits",
    "mixed_plans": "its runs used several plans",
}


def footer_lines(
    summaries: Sequence[Summary],
    flag_notes: Mapping[str, str] | None = None,
    rows: Sequence[dict[str, Any]] | None = None,
) -> list[str]:
    """What a reader must know beside the table, a fact a line, what matters most first.

    Args:
        summaries: What the table shows.
        flag_notes: Flag to its meaning, beside those that are known here.
        rows: The rows of the table in any order, where they are at hand already.
    """
    if not summaries:
        return []
    records = [record for summary in summaries for record in summary.records]
    rows = table_rows(summaries) if rows is None else sort_rows(rows)
    kinds = kinds_of(records)
    warning = comparability_warning(kinds)
    lines = [
        *_failures(summaries),
        warning,
        *flag_lines(summaries, flag_notes),
        held_line(kinds),
        target_line(kinds),
        place_line(kinds, commits_of(summaries)),
        _certainty(summaries),
        *([] if warning else certainty_lines(summaries, rows)),
        NEVER if has_missed(rows) else None,
        pareto_sentence(rows),
        _learning_rates(kinds),
        _ceilings(records),
        *_unknowns(summaries),
    ]
    return [one_line(line) for line in lines if line]


def comparability_warning(records: Sequence[RunRecord]) -> str | None:
    """What differs between records that must not be ranked; None where they may be."""
    try:
        check_comparable(records)
    except NotComparable as error:
        return str(error).partition(";")[0].capitalize() + ": do not rank these rows."
    return None


def held_line(records: Sequence[RunRecord]) -> str:
    """What was held equal: budget, recipe, precision, evaluation split."""
    parts = {
        "budget": lambda record: record.spec["budget"],
        "recipe": lambda record: record.spec["recipe"]["name"],
        "precision": lambda record: record.spec["precision"],
        "evaluated on": lambda record: record.spec["evaluation_split"],
    }
    return _sentence(records, parts)


def target_line(records: Sequence[RunRecord]) -> str | None:
    """Where runs ended that had a target; others may stand beside them only in a mixed table."""
    targets = [record.spec.get("target") for record in records]
    if not any(targets):
        return None
    who = "each run" if all(targets) else "each run with a target"
    percents = " / ".join(distinct(format_percent(t) for t in targets if t))
    return f"{who} ended at {percents} on validation or with the budget."


def place_line(records: Sequence[RunRecord], commits: Sequence[str] | None = None) -> str:
    """Where the records were measured: device, versions, data, commit.

    Args:
        records: What the table shows.
        commits: Their commits, where they are known already.
    """
    parts = {
        "device": lambda record: record.environment.get("device"),
        "cores": _cores,
        "power cap": lambda record: _watts(record.environment.get("power_cap_w")),
        "torch": lambda record: record.environment.get("torch"),
        "CUDA": lambda record: record.environment.get("cuda"),
        "Python": lambda record: record.environment.get("python"),
        "data": lambda record: (record.environment.get("data_hash") or "")[:12],
    }
    return _sentence(records, parts, commit=commits or distinct(map(commit_of, records)))


def commits_of(summaries: Sequence[Summary]) -> list[str]:
    """The commits of all runs, in the order of the summaries."""
    return distinct(commit for summary in summaries for commit in summary.commits)


def kinds_of(records: Sequence[RunRecord]) -> list[RunRecord]:
    """A record of each specification and environment, which those of one store share."""
    return list({(id(record.spec), id(record.environment)): record for record in records}.values())


def _sentence(
    records: Sequence[RunRecord],
    parts: Mapping[str, Callable[[RunRecord], Any]],
    **others: Sequence[str],
) -> str:
    texts = {name: distinct(part(record) for record in records) for name, part in parts.items()}
    stated = [
        f"{name} {listed(values, MOST_NAMED, ' / ')}"
        for name, values in (texts | others).items()
        if values
    ]
    return f"{', '.join(stated)}."


def _learning_rates(records: Sequence[RunRecord]) -> str | None:
    sources = distinct(record.spec["recipe"].get("learning_rate_source") for record in records)
    return f"learning rate: {listed(sources, MOST_NAMED, ' / ')}." if sources else None


def _ceilings(records: Sequence[RunRecord]) -> str | None:
    """The measured rates that the floors were made of; a copy's depends on its size."""
    ceilings = dict.fromkeys(
        (record.spec["precision"], *_RATES(limit))
        for record in records
        if (limit := record.conditions.get("limit"))
    )
    if not ceilings:
        return None
    matmul = distinct(
        f"matmul {precision} {format_count(rate)}FLOP/s"
        for precision, rate, _, _ in ceilings
        if rate
    )
    rates = [rate for _, _, rate, _ in ceilings if rate]
    ends = distinct(format_count(rate) for rate in (min(rates), max(rates))) if rates else []
    copy = [f"copy {' to '.join(ends)}B/s by size"] if ends else []
    matmul = [listed(matmul, MOST_NAMED)] if matmul else []
    waits = distinct(format_latency(latency) for _, _, _, latency in ceilings)
    parts = [*matmul, *copy, f"latency {listed(waits, MOST_NAMED, ' / ')}"]
    return f"measured ceilings: {', '.join(parts)}."


_RATES = itemgetter("flops_per_s", "bytes_per_s", "latency_s")


def _certainty(summaries: Sequence[Summary]) -> str | None:
    seeds = sorted({summary.n_seeds for summary in summaries if summary.n_seeds})
    if not seeds:
        return None
    num_images = _num_test_images(summaries)
    low, high = wilson_interval(0.9, num_images)
    spread = "one seed, so no interval over seeds"
    if seeds[-1] > 1:
        spread = f"means over {_range(seeds)} seeds, ± the 95 % interval of the mean (Student t)"
    return (
        f"accuracy: {spread}; test sampling adds ±{(high - low) / 2 * 100:.1f} points "
        f"at 90 % on {num_images:,} images. The best of a column is marked."
    )


def _num_test_images(summaries: Sequence[Summary]) -> int:
    return max((summary.num_images or 0 for summary in summaries), default=0) or NUM_TEST_IMAGES


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def flag_lines(
    summaries: Sequence[Summary], flag_notes: Mapping[str, str] | None = None
) -> list[str]:
    """What each flag means and which models have it, a line a flag."""
    notes = FLAG_NOTES | dict(flag_notes or {})
    found = distinct(flag for summary in summaries for flag in summary.flags)
    flags = [flag for flag in found if flag not in QUIET_FLAGS]
    return [_flag_line(flag, summaries, notes.get(flag)) for flag in flags]


def _flag_line(flag: str, summaries: Sequence[Summary], note: str | None) -> str:
    bearers = distinct(_bearer(flag, summary) for summary in summaries if flag in summary.flags)
    models = ", ".join(bearers)
    return f"{flag} ({models}): {note}." if note else f"{flag}: {models}."


def _bearer(flag: str, summary: Summary) -> str:
    """The model and, where the flag is not on all of its runs, the seeds that have it."""
    bearers = [record for record in summary.records if flag in record.flags]
    if len(bearers) in {0, len(summary.records)}:  # 0: a flag of the group, such as mixed_plans
        return summary.model
    seeds = dict.fromkeys(str(record.spec["seed"]) for record in bearers)
    return f"{summary.model} seed {' and '.join(seeds)}"


def _unknowns(summaries: Sequence[Summary]) -> list[str]:
    """What no seed of a row knows; a cost that the first seed bore for all is known."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for summary in summaries:
        shared = {id(record.missing): record.missing for record in summary.finished}
        missing = {item for reasons in shared.values() for item in reasons.items()}
        for quantity, reason in sorted(missing):
            is_known = summary.values(quantity) or _has_curve(quantity, summary)
            if not is_known and quantity != "time_to_target":  # a miss, which the table shows
                reasons.setdefault((quantity, reason), []).append(summary.model)
    together: dict[tuple[str, ...], list[str]] = {}  # quantities that one reason hides
    for (quantity, reason), models in reasons.items():
        together.setdefault((reason, *models), []).append(quantity)
    everyone = [summary.model for summary in summaries if summary.finished]
    return [
        f"{', '.join(quantities)} unknown{_of(models, everyone)}: {reason}."
        for (reason, *models), quantities in together.items()
    ]


def _has_curve(quantity: str, summary: Summary) -> bool:
    return quantity == "curve" and any(record.curve for record in summary.finished)


def _of(models: Sequence[str], everyone: Sequence[str]) -> str:
    return "" if list(models) == list(everyone) else f" ({', '.join(distinct(models))})"


def _failures(summaries: Sequence[Summary]) -> list[str]:
    """A line for each reason, with the models that failed for it."""
    reasons: dict[str, list[str]] = {}
    for summary in summaries:
        if summary.failed:
            reasons.setdefault(_failure(summary), []).append(summary.model)
    return [f"failed: {', '.join(distinct(names))}: {why}." for why, names in reasons.items()]


def _failure(summary: Summary) -> str:
    if summary.status == "ok":
        return str(summary.reason)
    return f"{summary.status}" + (f": {summary.reason}" if summary.reason else "")


def _cores(record: RunRecord) -> int | None:
    """Of a CPU run; on a GPU they are not what the speed hangs on."""
    is_cpu = record.environment.get("device_kind") == "cpu"
    return record.environment.get("num_cores") if is_cpu else None


def _watts(power: float | None) -> str | None:
    return None if power is None else f"{power:g} W"
