"""Whether a cost grew between two sets of records: seconds a step, joules an image.

Stored runs were not measured in turns. The same code measured twice, one time after the other,
differed by 20 % (standard deviation, shared 2-core machine): processes differ, and hours do, more
than seeds. So the unit is the process. Where both sides have several, their spread is known, and
the 95 % interval of the change has to clear `least_change` alone. Where a side is one process, as
most run folders are, its seeds tell how sure its own figure is, not what the next process would
have shown: there the interval has to clear twice those 20 %, and a smaller change is never `worse`.

Simulated on such a machine, of rows of the same code 1.0 % are `worse` by chance with one process a
side, 1.4 and 1.5 % with three and five; of rows that take twice as long 86, 95 and 100 %.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

from results.gate.verdict import Check, Finding, Outcome
from results.statistics import mean, welch_interval
from results.summary import Summary

if TYPE_CHECKING:
    from results.compare import Rule

FIRST_OF_PROCESS = "data_load_time"  # only the first run of a process loads the data
STEP, IMAGE = ("steps", "a step"), ("images_seen", "an image")
Interval = tuple[float, float] | None


class Cost(NamedTuple):
    """A cost as a ratio of two measured quantities, and what it is called."""

    check: Check
    name: str
    total: str
    per: str


class _Sides(NamedTuple):
    """Logarithms of a cost, a value for each process or, where they are too few, for each run."""

    base: list[float]
    head: list[float]
    is_repeated: bool


def speed_finding(model: str, base: Summary, head: Summary, rule: "Rule") -> Finding | None:
    """Seconds a step, or an image where the two have batches of different size."""
    sizes = {side.spec["recipe"].get("batch_size") for side in (base, head)}
    per, word = STEP if len(sizes) == 1 else IMAGE
    cost = Cost("speed", f"seconds {word}", "train_time", per)
    return _finding(model, cost, base, head, rule)


def energy_finding(model: str, base: Summary, head: Summary, rule: "Rule") -> Finding | None:
    """Joules an image, where both sides know them and measured them in one way."""
    if not (base.values("energy") and head.values("energy")):
        return None
    per, word = IMAGE
    cost = Cost("energy", f"joules {word}", "energy", per)
    before, after = (_energy_methods(side) for side in (base, head))
    if before == after:
        return _finding(model, cost, base, head, rule)
    evidence = f"measured by {before} on the base, by {after} on the head"
    return Finding(
        check=cost.check, model=model, quantity=cost.name, outcome="skipped", evidence=evidence
    )


def _energy_methods(side: Summary) -> str:
    return " / ".join(sorted({str(run.conditions.get("energy_method")) for run in side.finished}))


def _finding(model: str, cost: Cost, base: Summary, head: Summary, rule: "Rule") -> Finding | None:
    """What the cost says; None where one of them has none."""
    sides = _sides(cost, base, head)
    if not (sides.base and sides.head):
        return None
    change = math.expm1(mean(sides.head) - mean(sides.base))
    interval = welch_interval(sides.head, sides.base)
    bar = math.log1p(rule.least_change) if sides.is_repeated else 2 * rule.process_sd
    return Finding(
        check=cost.check,
        model=model,
        quantity=cost.name,
        outcome=_outcome(change, interval, bar, rule.threshold),
        base=math.exp(mean(sides.base)),
        head=math.exp(mean(sides.head)),
        change=change,
        evidence=_evidence(sides, change, interval, bar),
    )


def _sides(cost: Cost, base: Summary, head: Summary) -> _Sides:
    processes = [_by_process(cost, side) for side in (base, head)]
    is_repeated = min(map(len, processes)) > 1
    if is_repeated:
        theirs, ours = ([mean(runs) for runs in side] for side in processes)
    else:
        theirs, ours = ([run for runs in side for run in runs] for side in processes)
    return _Sides(theirs, ours, is_repeated)


def _by_process(cost: Cost, side: Summary) -> list[list[float]]:
    """Logarithms of the cost of the runs that ended well: those of one process together."""
    processes: list[list[float]] = [[]]
    for run in side.records:
        if FIRST_OF_PROCESS in run.measurements:
            processes.append([])
        total, amount = run.value(cost.total), run.value(cost.per)
        if run.status == "ok" and total and amount:
            processes[-1].append(math.log(total / amount))
    return [runs for runs in processes if runs]


def _outcome(change: float, interval: Interval, bar: float, threshold: float) -> Outcome:
    if change > threshold:
        return "worse" if interval is not None and interval[0] > bar else "unclear"
    is_better = change < -threshold and interval is not None and interval[1] < -bar
    return "better" if is_better else "same"


def _evidence(sides: _Sides, change: float, interval: Interval, bar: float) -> str:
    units = "processes" if sides.is_repeated else "runs, one process on a side"
    counts = f"{len(sides.base)} and {len(sides.head)} {units}"
    spread = "no interval"
    if interval is not None:
        spread = f"95 % interval {' to '.join(map(_percent, interval))}"
    return f"{spread}, to clear {_percent(math.copysign(bar, change))} ({counts})"


def _percent(logarithm: float) -> str:
    return f"{math.expm1(logarithm) * 100:+.1f} %"
