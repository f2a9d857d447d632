"""What else got worse between two sets of records: how runs end, accuracy, memory, counts.

Accuracy is paired by seed where both sides have mostly the same. It is `worse` where the mean lost
more than the margin and the 95 % interval excludes zero, `unclear` where the mean lost more and
that is not shown, else `same`, with the interval beside it. The gate asks for more: there all of
the interval must lie above minus the margin, as it can train further seeds. Stored records cannot,
and with three seeds of 0.3 points 40 % of identical pairs would then be unclear. By this rule none
of 600 such pairs is worse or unclear (of 0.5 points: 0.5 % each), and of pairs that lose two points
95 % are worse (of 0.5 points: 69 %) and hardly one is the same.

Both sides see the same test images, so what these do by chance is left out. Memory is judged by the
gate's own rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from results.gate.quality import (
    ROUNDING,
    Interval,
    QualityRule,
    equal_evidence,
    interval_evidence,
    judge_memory,
    paired_interval,
)
from results.gate.verdict import Check, Finding, Outcome
from results.gate.words import NEW
from results.rows.summary import Summary
from results.statistics import mean, welch_interval
from results.text import plural

INTERRUPTED = "interrupted"
COUNTS = {"num_params": "parameters", "flops_per_image": "FLOPs an image"}
ACCURACY = "test accuracy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What decides; fractions, but for the bytes."""

    threshold: float = 0.10  # change of seconds, joules or peak memory that counts
    margin: float = 0.01  # of mean accuracy that may be lost
    least_change: float = 0.02  # of a cost, that its interval must clear between several processes
    process_sd: float = 0.20  # what processes alone change a cost by, where each side is one
    error_rate: float = 0.05  # of the intervals of costs, all rows together
    memory_bytes: int = 8 * 2**20  # that peak memory must change by as well


@dataclass(frozen=True, slots=True)
class Match:
    """A row of the base and the row of the head that stands for it; both have finished runs."""

    model: str
    base: Summary
    head: Summary
    rule: Rule
    num_costs: int  # of all rows together: each may be worse by chance

    def unknown(self, check: Check, words: str, *quantities: str) -> Finding:
        """Say that the head does not know what the base knows, and the reason that it gives."""
        reasons = (run.missing.get(name) for run in self.head.finished for name in quantities)
        evidence = f"unknown on the head: {next(filter(None, reasons), 'no reason given')}"
        return Finding(
            check=check, model=self.model, quantity=words, outcome="unclear", evidence=evidence
        )


def run_finding(model: str, base: Summary | None, head: Summary | None) -> Finding:
    """Whether the runs of the head ended as well as those of the base; one side may have none."""
    outcome, evidence = _ending(base, head)
    return Finding(
        check="run",
        model=model,
        quantity="finished seeds",
        outcome=outcome,
        base=None if base is None else base.n_seeds,
        head=None if head is None else head.n_seeds,
        evidence=evidence,
    )


def accuracy_finding(match: Match) -> Finding | None:
    """Whether more of the accuracy was lost than the margin; None where the base has none."""
    theirs, ours = (_by_seed(side, "test_accuracy") for side in (match.base, match.head))
    if not (theirs and ours):
        return match.unknown("accuracy", ACCURACY, "test_accuracy") if theirs else None
    if is_paired := _are_paired(theirs, ours):
        shared = [seed for seed in theirs if seed in ours]
        theirs, ours = ({seed: side[seed] for seed in shared} for side in (theirs, ours))
    before, after = list(theirs.values()), list(ours.values())
    change = mean(after) - mean(before)
    if is_paired:
        interval = paired_interval([a - b for b, a in zip(before, after, strict=True)])
        evidence = interval_evidence(change, interval, plural(len(before), "seed"))
    else:
        interval = welch_interval(after, before)
        evidence = interval_evidence(change, interval, f"{len(before)} and {len(after)} seeds")
    return Finding(
        check="accuracy",
        model=match.model,
        quantity=ACCURACY,
        outcome=_accuracy_outcome(change, interval, match.rule.margin),
        base=mean(before),
        head=mean(after),
        change=change,
        evidence=equal_evidence(len(before)) if is_paired and before == after else evidence,
    )


def memory_finding(match: Match) -> Finding | None:
    """Whether the peak memory grew, by the rule of the gate; None where the base has none.

    Where seeds are not mostly shared, each of the base is held against each of the head.
    """
    theirs, ours = (
        {seed: peak for seed, peak in _by_seed(side, "peak_memory").items() if peak > 0}
        for side in (match.base, match.head)
    )
    if not (theirs and ours):
        return match.unknown("memory", "peak memory", "peak_memory") if theirs else None
    rule = QualityRule(
        memory_threshold=match.rule.threshold, least_memory_bytes=match.rule.memory_bytes
    )
    if _are_paired(theirs, ours):
        return judge_memory(match.model, theirs, ours, rule)
    pairs = zip(*product(theirs.values(), ours.values()), strict=True)
    before, after = (dict(enumerate(side)) for side in pairs)
    finding = judge_memory(match.model, before, after, rule)
    return replace(finding, evidence=f"median of {len(theirs)} and {len(ours)} seeds")


def count_findings(match: Match) -> Iterator[Finding]:
    """Parameters and FLOPs that the base has, which are exact: any difference counts."""
    for quantity, words in COUNTS.items():
        before, after = (side.mean(quantity) or 0.0 for side in (match.base, match.head))
        if before > 0 and after > 0:
            growth = round(after) - round(before)
            is_another = growth != 0 and quantity == "num_params"
            yield Finding(
                check="counts",
                model=match.model,
                quantity=words,
                outcome="worse" if growth > 0 or is_another else "better" if growth < 0 else "same",
                base=before,
                head=after,
                change=after / before - 1,
                evidence="another model" if is_another else "exact",
            )
        elif before > 0:
            yield match.unknown("counts", words, quantity)


def _ending(base: Summary | None, head: Summary | None) -> tuple[Outcome, str]:
    if head is None:
        return "worse", "gone: the head has no such run"
    after = _how(head.status, head.reason)
    if base is None:
        return ("skipped", NEW) if head.finished else ("worse", f"new; {after}")
    if not base.finished:
        return _after_failure(base, head)
    if not head.finished:
        is_open = head.status == INTERRUPTED
        return ("unclear" if is_open else "worse"), f"on the head: {after}"
    return _ending_by_seed(base, head)


def _after_failure(base: Summary, head: Summary) -> tuple[Outcome, str]:
    """What a head comes to of which no run of the base ended well: never worse than that."""
    before, after = (_how(side.status, side.reason) for side in (base, head))
    is_open = base.status == INTERRUPTED  # whether the base would have failed too is unknown
    if head.finished:
        return ("skipped" if is_open else "better"), f"on the base: {before}"
    if before == after:
        return "skipped", f"on both sides: {after}"
    return ("unclear" if is_open else "skipped"), f"on the base: {before}; on the head: {after}"


def _ending_by_seed(base: Summary, head: Summary) -> tuple[Outcome, str]:
    failed_before = {run.spec["seed"] for run in base.failed}
    failed = [run for run in head.failed if run.spec["seed"] not in failed_before]
    if failed:
        broken = [run for run in failed if run.status != INTERRUPTED]
        told = broken or failed
        seeds = ", ".join(str(run.spec["seed"]) for run in told)
        evidence = f"seed {seeds}: {_how(told[0].status, told[0].reason)}"
        return ("worse" if broken else "unclear"), evidence
    is_fewer = head.n_seeds < base.n_seeds
    evidence = f"{head.n_seeds} of {base.n_seeds} seeds" if is_fewer else ""
    return ("better" if len(head.failed) < len(base.failed) else "same"), evidence


def _how(status: str, reason: str | None) -> str:
    return status.replace("_", " ") + (f": {reason}" if reason else "")


def _by_seed(side: Summary, quantity: str) -> dict[int, float]:
    """The mean of each seed that has a value."""
    found: dict[int, list[float]] = {}
    for run in side.finished:
        if (value := run.value(quantity)) is not None:
            found.setdefault(run.spec["seed"], []).append(value)
    return {seed: mean(values) for seed, values in found.items()}


def _are_paired(base: dict[int, float], head: dict[int, float]) -> bool:
    """Whether seeds are mostly shared: a pair out of ten would speak for all of them."""
    num_shared = len(base.keys() & head.keys())
    is_most = 2 * num_shared >= max(len(base), len(head))
    return base.keys() == head.keys() or (num_shared > 1 and is_most)


def _accuracy_outcome(change: float, interval: Interval, margin: float) -> Outcome:
    if change < -margin - ROUNDING:
        return "worse" if interval is not None and interval[1] < 0 else "unclear"
    is_better = change > margin and interval is not None and interval[0] > 0
    return "better" if is_better else "same"
