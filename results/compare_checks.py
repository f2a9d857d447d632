"""What else got worse between two sets of records: how runs end, accuracy, memory, counts.

Accuracy is held to a margin over seeds (`results.gate.margin`), paired where both sides have the
same. Both sides see the same test images, so what these do by chance is left out.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.certainty import points
from results.gate.margin import Interval, margin_outcome, paired_interval
from results.gate.verdict import Check, Finding, Outcome
from results.records import RunRecord
from results.statistics import mean, welch_interval
from results.summary import Summary

if TYPE_CHECKING:
    from results.compare import Rule

INTERRUPTED = "interrupted"
COUNTS = {"num_params": "parameters", "flops_per_image": "FLOPs an image"}


def run_finding(model: str, base: Summary | None, head: Summary | None) -> Finding:
    """Whether the runs of the head ended as well as those of the base; one side may have none."""
    outcome, evidence = _ending(base, head)
    return Finding(
        check="run",
        model=model,
        quantity="seeds that ended well",
        outcome=outcome,
        base=None if base is None else base.n_seeds,
        head=None if head is None else head.n_seeds,
        evidence=evidence,
    )


def accuracy_finding(model: str, base: Summary, head: Summary, rule: "Rule") -> Finding | None:
    """Whether more of the accuracy was lost than the margin; None where one side has none."""
    theirs, ours = _by_seed(base), _by_seed(head)
    if not (theirs and ours):
        return None
    shared = [seed for seed in theirs if seed in ours]
    is_paired = len(shared) > 1 or theirs.keys() == ours.keys()
    if is_paired:
        theirs, ours = ({seed: side[seed] for seed in shared} for side in (theirs, ours))
    before, after = list(theirs.values()), list(ours.values())
    gaps = [
        after - before for before, after in zip(theirs.values(), ours.values(), strict=is_paired)
    ]
    interval = paired_interval(gaps) if is_paired else welch_interval(after, before)
    change = mean(after) - mean(before)
    return Finding(
        check="accuracy",
        model=model,
        quantity="test accuracy",
        outcome=margin_outcome(change, interval, rule.margin),
        base=mean(before),
        head=mean(after),
        change=change,
        evidence=_accuracy_evidence(interval, len(before), len(after), is_paired=is_paired),
    )


def memory_finding(model: str, base: Summary, head: Summary, rule: "Rule") -> Finding | None:
    """Whether the largest peak memory of a seed grew; None where one side has none."""
    before, after = (side.maximum("peak_memory") for side in (base, head))
    if not before or after is None:
        return None
    outcome: Outcome = "same"
    if abs(after - before) > max(rule.threshold * before, rule.memory_bytes):
        outcome = "worse" if after > before else "better"
    evidence = f"the most of {base.n_seeds} and {head.n_seeds} seeds"
    return _of_values("memory", model, "peak memory", outcome, before, after, evidence)


def count_findings(model: str, base: Summary, head: Summary) -> list[Finding]:
    """Parameters and FLOPs of both sides, which are exact: any difference counts."""
    found = []
    for quantity, words in COUNTS.items():
        before, after = (side.mean(quantity) for side in (base, head))
        if before and after:
            outcome, evidence = _count_outcome(quantity, round(after) - round(before))
            found.append(_of_values("counts", model, words, outcome, before, after, evidence))
    return found


def unknown_finding(
    check: Check, model: str, quantity: str, base: Summary, head: Summary
) -> Finding | None:
    """That the head does not know what the base knows; None where that is not so."""
    before = base.mean(quantity)
    if before is None or head.mean(quantity) is not None:
        return None
    reasons = [run.missing[quantity] for run in head.finished if quantity in run.missing]
    return Finding(
        check=check,
        model=model,
        quantity=quantity.replace("_", " "),
        outcome="unclear",
        evidence=f"unknown on the head: {next(iter(reasons), 'no reason given')}",
    )


def _ending(base: Summary | None, head: Summary | None) -> tuple[Outcome, str]:
    if head is None:
        return "worse", "gone: the head has no such run"
    if base is None:
        return ("changed", "new") if head.finished else ("worse", f"new; {_failure(head)}")
    if not base.finished:
        is_mended = head.finished and base.status != INTERRUPTED
        return ("better" if is_mended else "unusable"), f"on the base: {_failure(base)}"
    if not head.finished:
        is_open = head.status == INTERRUPTED
        return ("unclear" if is_open else "worse"), f"on the head: {_failure(head)}"
    return _ending_by_seed(base, head)


def _ending_by_seed(base: Summary, head: Summary) -> tuple[Outcome, str]:
    failed_before = {run.spec["seed"] for run in base.failed}
    failed = [run for run in head.failed if run.spec["seed"] not in failed_before]
    broken = [run for run in failed if run.status != INTERRUPTED]
    if broken:
        return "worse", _seeds_text(broken)
    if failed:
        return "unclear", _seeds_text(failed)
    return ("better" if len(head.failed) < len(base.failed) else "same"), ""


def _failure(side: Summary) -> str:
    return side.status + (f": {side.reason}" if side.reason else "")


def _seeds_text(failed: Sequence[RunRecord]) -> str:
    """Which seeds failed, and how the first of them did."""
    seeds = ", ".join(str(run.spec["seed"]) for run in failed)
    first = failed[0]
    return f"seed {seeds}: {first.status}" + (f": {first.reason}" if first.reason else "")


def _by_seed(side: Summary) -> dict[int, float]:
    """The test accuracy of each seed that has one."""
    found: dict[int, list[float]] = {}
    for run in side.finished:
        accuracy = run.value("test_accuracy")
        if accuracy is not None:
            found.setdefault(run.spec["seed"], []).append(accuracy)
    return {seed: mean(values) for seed, values in found.items()}


def _paired(before: Sequence[float], after: Sequence[float]) -> Interval:
    return paired_interval([ours - theirs for theirs, ours in zip(before, after, strict=True)])


def _accuracy_evidence(
    interval: Interval, num_before: int, num_after: int, *, is_paired: bool
) -> str:
    if interval is None:
        return "one seed on a side: what seeds do is unknown; `--seeds 3` or more can tell"
    seeds = f"{num_before} seeds, paired" if is_paired else f"{num_before} and {num_after} seeds"
    if is_paired and not any(interval):
        return "equal seed by seed"
    low, high = (f"{'-' if end < 0 else '+'}{points(abs(end))}" for end in interval)
    return f"95 % interval {low} to {high} points ({seeds})"


def _count_outcome(quantity: str, growth: int) -> tuple[Outcome, str]:
    if not growth:
        return "same", "exact"
    if quantity == "num_params":
        return "worse", "another model"
    return ("worse" if growth > 0 else "better"), "exact"


def _of_values(
    check: Check,
    model: str,
    quantity: str,
    outcome: Outcome,
    before: float,
    after: float,
    evidence: str,
) -> Finding:
    return Finding(
        check=check,
        model=model,
        quantity=quantity,
        outcome=outcome,
        base=before,
        head=after,
        change=after / before - 1,
        evidence=evidence,
    )
