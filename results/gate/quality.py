"""What two commits come to over the same seeds: accuracy and peak memory, and runs that failed.

Accuracy is held to a margin. The differences of paired seeds have a 95 % Student interval: the head
is not inferior where all of it lies above minus the margin, and worse where its mean lies below
that and all of it below zero. Anything between is unclear, and more seeds make it narrower.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from results.gate.verdict import Finding, Outcome
from results.records.record import RunRecord
from results.statistics import mean, median, t_interval
from results.text import plural

Interval = tuple[float, float] | None
Seeds: TypeAlias = Mapping[int, float]
"""A value by seed; a seed whose value is unknown is left out."""
ACCURACY, MEMORY = "validation accuracy", "peak memory"
ROUNDING = 1e-9  # a loss of just the margin is allowed: 0.9 - 0.89 is more than 0.01


@dataclass(frozen=True, slots=True)
class QualityRule:
    """What counts as worse."""

    margin: float = 0.01  # of accuracy that may be lost, a fraction
    memory_threshold: float = 0.10  # share by which the peak may grow
    # Growth that is too small to tell: peaks of a CPU process vary by some MiB from run to run.
    least_memory_bytes: int = 8 << 20


def judge_quality(
    model: str, base: Sequence[RunRecord], head: Sequence[RunRecord], rule: QualityRule
) -> list[Finding]:
    """Judge accuracy and memory, or just the runs that failed: what is left is no fair choice."""
    if failed := list(_failed_runs(model, base, head)):
        return failed
    accuracies = _by_seed(base, "test_accuracy"), _by_seed(head, "test_accuracy")
    memories = _by_seed(base, "peak_memory"), _by_seed(head, "peak_memory")
    lost = partial(Finding, model=model, outcome="worse")
    no_accuracy, no_memory = _lost(*accuracies), _lost(*memories)
    reasons = (record.missing.get("peak_memory") for record in (*base, *head))
    return [
        lost(check="accuracy", quantity=ACCURACY, evidence=no_accuracy)
        if no_accuracy
        else judge_accuracy(model, *accuracies, rule),
        lost(check="memory", quantity=MEMORY, evidence=no_memory)
        if no_memory
        else judge_memory(model, *memories, rule, next(filter(None, reasons), "")),
    ]


def failed_run(model: str, reason: str, outcome: Outcome = "worse") -> Finding:
    """Say that a model could not be trained on one of the commits."""
    return Finding(check="run", model=model, quantity="training", outcome=outcome, evidence=reason)


def judge_accuracy(model: str, base: Seeds, head: Seeds, rule: QualityRule) -> Finding:
    """Judge whether the head is inferior to the base by more than the margin."""
    finding = partial(Finding, check="accuracy", model=model, quantity=ACCURACY)
    pairs = _pairs(base, head)
    if not pairs:
        return finding(outcome="unclear", evidence="no seed has an accuracy on both commits")
    changes = [after - before for before, after in pairs]
    change, interval = mean(changes), paired_interval(changes)
    evidence = equal_evidence(len(changes))
    if any(changes):
        evidence = interval_evidence(change, interval, plural(len(changes), "seed"))
    return finding(
        outcome=margin_outcome(change, interval, rule.margin),
        base=mean([before for before, _ in pairs]),
        head=mean([after for _, after in pairs]),
        change=change,
        evidence=evidence,
    )


def judge_memory(
    model: str, base: Seeds, head: Seeds, rule: QualityRule, why_unknown: str = ""
) -> Finding:
    """Judge whether the peak in bytes grew beyond the threshold, at the median and in every seed.

    `why_unknown` is the reason to give where there is nothing to compare.
    """
    finding = partial(Finding, check="memory", model=model, quantity=MEMORY)
    pairs = [(before, after) for before, after in _pairs(base, head) if before > 0]
    if not pairs:
        evidence = why_unknown or "no seed has a peak on both commits"
        return finding(outcome="skipped", evidence=evidence)
    change = median([after / before for before, after in pairs]) - 1
    growth = [after - before for before, after in pairs]
    return finding(
        outcome=_memory_outcome(growth, change, rule),
        base=median([before for before, _ in pairs]),
        head=median([after for _, after in pairs]),
        change=change,
        evidence=f"median of {plural(len(pairs), 'seed')}, more in {sum(g > 0 for g in growth)}",
    )


def paired_interval(changes: Sequence[float]) -> Interval:
    """Return the 95 % Student interval of the mean of paired changes; None for one that changed.

    What is equal seed by seed is so without a spread: on a CPU the same code gives the same bits.
    """
    return t_interval(changes) if any(changes) else (0.0, 0.0)


def margin_outcome(change: float, interval: Interval, margin: float) -> Outcome:
    """Judge a change of mean accuracy, of which no more than a margin may be lost.

    `same` (not inferior) where the 95 % interval stays above the margin; `worse` where the mean
    falls below it and the interval excludes 0; `unclear` in between.
    """
    if interval is None:
        return "unclear"
    low, high = interval
    least = -margin - ROUNDING
    if low >= least:
        return "better" if low > 0 and change > margin else "same"
    return "worse" if change < least and high < 0 else "unclear"


def equal_evidence(num_seeds: int) -> str:
    """Say that accuracies are equal seed by seed."""
    return f"the same in {'all ' if num_seeds > 1 else ''}{plural(num_seeds, 'seed')}"


def interval_evidence(change: float, interval: Interval, seeds: str) -> str:
    """Write a change of mean accuracy in points, and how sure it is: one seed has no interval."""
    if interval is None:
        return f"{change * 100:+z.1f} points with one seed: more are needed"
    low, high = interval
    return f"{change * 100:+z.1f} points [{low * 100:+z.1f}, {high * 100:+z.1f}] over {seeds}"


def _failed_runs(
    model: str, base: Sequence[RunRecord], head: Sequence[RunRecord]
) -> Iterator[Finding]:
    """Find the runs that did not end well, the first of each side.

    What fails on the base leaves nothing to hold the head to; and where a seed fails on both the
    head is not worse.
    """
    failed = [record for record in base if record.status != "ok"]
    lost = {record.spec["seed"] for record in failed}
    newly = [run for run in head if run.status != "ok" and run.spec["seed"] not in lost]
    for record in failed[:1]:
        yield failed_run(model, f"on the base: {_failure(record)}", outcome="unusable")
    for record in newly[:1]:
        yield failed_run(model, _failure(record))


def _failure(record: RunRecord) -> str:
    reason = f": {record.reason}" if record.reason else ""
    return f"seed {record.spec['seed']} {record.status.replace('_', ' ')}{reason}"


def _lost(base: Seeds, head: Seeds) -> str:
    """Say what the head no longer measures that the base does; empty where it measures all."""
    seeds = ", ".join(str(seed) for seed in sorted(base.keys() - head.keys()))
    return f"no longer measured with seed {seeds}" if seeds else ""


def _memory_outcome(growth: Sequence[float], change: float, rule: QualityRule) -> Outcome:
    is_telling = abs(median(growth)) > rule.least_memory_bytes
    if is_telling and change > rule.memory_threshold:
        return "worse" if min(growth) > 0 else "unclear"
    if is_telling and change < -rule.memory_threshold and max(growth) < 0:
        return "better"
    return "same"


def _pairs(base: Seeds, head: Seeds) -> list[tuple[float, float]]:
    return [(base[seed], head[seed]) for seed in sorted(base.keys() & head.keys())]


def _by_seed(records: Sequence[RunRecord], quantity: str) -> dict[int, float]:
    values = {record.spec["seed"]: record.value(quantity) for record in records}
    return {seed: value for seed, value in values.items() if value is not None}
