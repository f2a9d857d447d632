"""What two commits come to over the same seeds: accuracy and peak memory, and runs that failed.

Accuracy is held to a margin. The differences of paired seeds have a 95 % Student interval: the head
is not inferior where all of it lies above minus the margin, and worse where its mean lies below
that and all of it below zero. Anything between is unclear, and more seeds make it narrower.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from results.gate.margin import Interval, margin_outcome, paired_interval
from results.gate.verdict import Check, Finding, Outcome
from results.records.record import RunRecord
from results.statistics import mean, median

Seeds: TypeAlias = Mapping[int, float]
"""A value by seed; a seed whose value is unknown is left out."""
ACCURACY, MEMORY = "validation accuracy", "peak memory"


@dataclass(frozen=True, slots=True)
class QualityRule:
    """What counts as worse.

    Attributes:
        margin: of accuracy that may be lost, a fraction.
        memory_threshold: share by which the peak may grow.
        least_memory_bytes: growth that is too small to tell: peaks of a CPU process vary by some
            MiB from run to run.
    """

    margin: float = 0.01
    memory_threshold: float = 0.10
    least_memory_bytes: int = 8 << 20


def judge_quality(
    model: str, base: Sequence[RunRecord], head: Sequence[RunRecord], rule: QualityRule
) -> list[Finding]:
    """Accuracy and memory, or just the runs that failed: those that are left are no fair choice."""
    failed = list(judge_runs(model, base, head))
    if failed:
        return failed
    accuracies = _by_seed(base, "test_accuracy"), _by_seed(head, "test_accuracy")
    memories = _by_seed(base, "peak_memory"), _by_seed(head, "peak_memory")
    return [
        _lost("accuracy", model, ACCURACY, *accuracies) or judge_accuracy(model, *accuracies, rule),
        _lost("memory", model, MEMORY, *memories)
        or judge_memory(model, *memories, rule, _why_unknown((*base, *head), "peak_memory")),
    ]


def _lost(check: Check, model: str, quantity: str, base: Seeds, head: Seeds) -> Finding | None:
    """That the head no longer measures what the base does, with some seed; None where it does."""
    seeds = ", ".join(str(seed) for seed in sorted(base.keys() - head.keys()))
    if not seeds:
        return None
    return Finding(
        check=check,
        model=model,
        quantity=quantity,
        outcome="worse",
        evidence=f"no longer measured with seed {seeds}",
    )


def judge_runs(
    model: str, base: Sequence[RunRecord], head: Sequence[RunRecord]
) -> Iterator[Finding]:
    """Runs that did not end well, the first of each side.

    What fails on the base leaves nothing to hold the head to; and where a seed fails on both the
    head is not worse.
    """
    lost = {record.spec["seed"] for record in base if record.status != "ok"}
    newly_lost = [
        record for record in head if record.status != "ok" and record.spec["seed"] not in lost
    ]
    for record in [run for run in base if run.status != "ok"][:1]:
        yield failed_run(model, f"on the base: {_failure(record)}", outcome="unusable")
    for record in newly_lost[:1]:
        yield failed_run(model, _failure(record))


def failed_run(model: str, reason: str, outcome: Outcome = "worse") -> Finding:
    """That a model could not be trained on one of the commits."""
    return Finding(check="run", model=model, quantity="training", outcome=outcome, evidence=reason)


def judge_accuracy(model: str, base: Seeds, head: Seeds, rule: QualityRule) -> Finding:
    """Whether the head is not inferior to the base by more than the margin.

    Args:
        model: that was trained.
        base: accuracies of the base, fractions.
        head: those of the head.
        rule: with the margin.
    """
    pairs = _pairs(base, head)
    if not pairs:
        evidence = "no seed has an accuracy on both commits"
        return Finding(
            check="accuracy", model=model, quantity=ACCURACY, outcome="unclear", evidence=evidence
        )
    changes = [after - before for before, after in pairs]
    return Finding(
        check="accuracy",
        model=model,
        quantity=ACCURACY,
        outcome=margin_outcome(mean(changes), paired_interval(changes), rule.margin),
        base=mean([before for before, _ in pairs]),
        head=mean([after for _, after in pairs]),
        change=mean(changes),
        evidence=_accuracy_evidence(changes),
    )


def judge_memory(
    model: str, base: Seeds, head: Seeds, rule: QualityRule, why_unknown: str = ""
) -> Finding:
    """Whether the peak has grown beyond the threshold, at the median and with every seed.

    Args:
        model: that was trained.
        base: peaks of the base, bytes.
        head: those of the head.
        rule: with the threshold and the least growth.
        why_unknown: reason where there is nothing to compare.
    """
    pairs = [(before, after) for before, after in _pairs(base, head) if before > 0]
    if not pairs:
        return Finding(
            check="memory",
            model=model,
            quantity=MEMORY,
            outcome="skipped",
            evidence=why_unknown or "no seed has a peak on both commits",
        )
    change = median([after / before for before, after in pairs]) - 1
    num_larger = sum(after > before for before, after in pairs)
    return Finding(
        check="memory",
        model=model,
        quantity=MEMORY,
        outcome=_memory_outcome(pairs, change, rule),
        base=median([before for before, _ in pairs]),
        head=median([after for _, after in pairs]),
        change=change,
        evidence=f"median of {_seeds(len(pairs))}, more in {num_larger}",
    )


def equal_evidence(num_seeds: int) -> str:
    """That accuracies are equal seed by seed."""
    return f"the same in {'all ' if num_seeds > 1 else ''}{_seeds(num_seeds)}"


def interval_evidence(change: float, interval: Interval, seeds: str) -> str:
    """A change of accuracy in points, and how sure it is.

    Args:
        change: of the mean, a fraction.
        interval: at 95 %; None where one seed tells none.
        seeds: how many these are, in words.
    """
    if interval is None:
        return f"{_points(change)} points with one seed: more are needed"
    low, high = map(_points, interval)
    return f"{_points(change)} points [{low}, {high}] over {seeds}"


def _accuracy_evidence(changes: Sequence[float]) -> str:
    if not any(changes):
        return equal_evidence(len(changes))
    return interval_evidence(mean(changes), paired_interval(changes), _seeds(len(changes)))


def _memory_outcome(
    pairs: Sequence[tuple[float, float]], change: float, rule: QualityRule
) -> Outcome:
    growth = [after - before for before, after in pairs]
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


def _why_unknown(records: Sequence[RunRecord], quantity: str) -> str:
    return next((reason for record in records if (reason := record.missing.get(quantity))), "")


def _failure(record: RunRecord) -> str:
    reason = f": {record.reason}" if record.reason else ""
    return f"seed {record.spec['seed']} {record.status.replace('_', ' ')}{reason}"


def _points(fraction: float) -> str:
    return f"{round(fraction * 100, 1) + 0.0:+.1f}"  # adding zero takes its sign away


def _seeds(number: int) -> str:
    return f"{number} seed{'' if number == 1 else 's'}"
