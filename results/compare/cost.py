"""Whether a cost grew between two sets of records: seconds a step, joules an image.

Stored runs were not measured in turns. The same code measured twice, one time after the other,
differed by 20 % (standard deviation, shared 2-core machine): processes differ, and hours do, more
than seeds. So the unit is the process. Where both sides have several, their spread is known, and
an interval of the change has to clear `least_change`. Where a side is one process, as most run
folders are, its seeds tell how sure its own figure is, not what the next process would have shown:
below twice those 20 %, which is +49 %, nothing can be seen, and nothing is claimed.

Both are held to one error rate over all rows together: the intervals by their confidence, one
process by a higher bar (+49 % for one cost, +74 % for nine).

Simulated on such a machine, seconds of nine rows of the same code together (300 comparisons each;
tests/results/compare/test_rows.py draws them anew): with one process a side 80 % are green, 1.0 %
red and 19 % unclear; with three 12, 0.7 and 87 %; with five 24, 1.3 and 75 %. Of one row that takes
twice as long 89, 97 and 100 % are red, of nine rows one at least in 99 % or more. Several processes
make more of it unclear than one, as they claim to see a tenth: on such a machine only turns do.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from results.compare.checks import unknown_finding
from results.gate.pairs import percent
from results.gate.verdict import Check, Finding, Outcome
from results.rows.summary import Summary
from results.statistics import mean, welch_interval

if TYPE_CHECKING:
    from results.compare.rule import Rule

FIRST_OF_PROCESS = "data_load_time"  # only the first run of a process loads the data
LEAST_SDS = 2.0  # of processes, that must lie between two of them before anything is seen
BLIND = "one process a side shows nothing below"
MOST_CHANGE = math.log(10)  # an interval that reaches further is of no use
STEP, IMAGE = ("steps", "a step"), ("images_seen", "an image")
Interval = tuple[float, float] | None


class CostRatio(NamedTuple):
    """A cost as a ratio of two measured quantities, and what it is called."""

    check: Check
    name: str
    total: str
    per: str


@dataclass(frozen=True, slots=True)
class _Sides:
    """Logarithms of a cost, a value for each process or, where they are too few, for each run."""

    base: list[float]
    head: list[float]
    is_repeated: bool

    @property
    def change(self) -> float:
        return mean(self.head) - mean(self.base)


class _Bars(NamedTuple):
    """Logarithms: `least` is what the change must exceed, `sure` what its interval must clear."""

    least: float
    sure: float
    confidence: float


def speed_finding(
    model: str, base: Summary, head: Summary, rule: "Rule", num_tests: int
) -> Finding | None:
    """Seconds a step, or an image where the two have batches of different size."""
    before, after = (side.spec["recipe"].get("batch_size") for side in (base, head))
    per, word = STEP if before == after else IMAGE
    cost = CostRatio("speed", f"seconds {word}", "train_time", per)
    return _finding(model, cost, base, head, rule, num_tests)


def energy_finding(
    model: str, base: Summary, head: Summary, rule: "Rule", num_tests: int
) -> Finding | None:
    """Joules an image, if they were measured in one way; None where the base does not know them."""
    per, word = IMAGE
    cost = CostRatio("energy", f"joules {word}", "energy", per)
    before, after = (_energy_methods(side) for side in (base, head))
    if not (before and after) or before == after:
        return _finding(model, cost, base, head, rule, num_tests)
    evidence = f"measured by {before} on the base, by {after} on the head"
    return Finding(
        check=cost.check, model=model, quantity=cost.name, outcome="skipped", evidence=evidence
    )


def num_costs(base: Summary, head: Summary) -> int:
    """How many costs a row lets compare: each may be worse by chance."""
    if not (base.finished and head.finished):
        return 0
    return sum(bool(base.values(name) and head.values(name)) for name in ("train_time", "energy"))


def _energy_methods(side: Summary) -> str:
    """How those runs that know their energy measured it."""
    known = [run for run in side.finished if run.value("energy")]
    return " / ".join(sorted({str(run.conditions.get("energy_method")) for run in known}))


def _finding(
    model: str, cost: CostRatio, base: Summary, head: Summary, rule: "Rule", num_tests: int
) -> Finding | None:
    """What the cost says; None where the base has none."""
    sides = _sides(cost, base, head)
    if not sides.base:
        return None
    if not sides.head:
        return unknown_finding(cost.check, model, cost.name, head, (cost.total, cost.per))
    bars = _bars(sides, rule, num_tests)
    interval = welch_interval(sides.head, sides.base, bars.confidence)
    outcome = _outcome(sides, interval, bars, rule.threshold)
    return Finding(
        check=cost.check,
        model=model,
        quantity=cost.name,
        outcome=outcome,
        base=math.exp(mean(sides.base)),
        head=math.exp(mean(sides.head)),
        change=math.expm1(sides.change),
        evidence=_evidence(sides, outcome, interval, bars),
    )


def _sides(cost: CostRatio, base: Summary, head: Summary) -> _Sides:
    processes = [_by_process(cost, side) for side in (base, head)]
    is_repeated = min(map(len, processes)) > 1
    if is_repeated:
        theirs, ours = ([mean(runs) for runs in side] for side in processes)
    else:
        theirs, ours = ([run for runs in side for run in runs] for side in processes)
    return _Sides(theirs, ours, is_repeated)


def _by_process(cost: CostRatio, side: Summary) -> list[list[float]]:
    """Logarithms of the cost of the runs that ended well: those of one process together."""
    processes: list[list[float]] = [[]]
    for run in side.records:
        if FIRST_OF_PROCESS in run.measurements:
            processes.append([])
        total, amount = run.value(cost.total), run.value(cost.per)
        if run.status == "ok" and total and amount and min(total, amount) > 0:
            processes[-1].append(math.log(total) - math.log(amount))
    return [runs for runs in processes if runs]


def _bars(sides: _Sides, rule: "Rule", num_tests: int) -> _Bars:
    each = rule.error_rate / max(num_tests, 1)
    if sides.is_repeated:
        return _Bars(0.0, math.log1p(rule.least_change), 1 - each)
    sds = max(LEAST_SDS, NormalDist().inv_cdf(1 - each / 2))
    return _Bars(LEAST_SDS * rule.process_sd, sds * rule.process_sd, 1 - rule.error_rate)


def _outcome(sides: _Sides, interval: Interval, bars: _Bars, threshold: float) -> Outcome:
    if sides.change > max(math.log1p(threshold), bars.least):
        return "worse" if interval is not None and interval[0] > bars.sure else "unclear"
    is_less = sides.change < min(math.log1p(-threshold), -bars.least)
    return "better" if is_less and interval is not None and interval[1] < -bars.sure else "same"


def _evidence(sides: _Sides, outcome: Outcome, interval: Interval, bars: _Bars) -> str:
    if outcome == "same" and not sides.is_repeated:
        least = math.expm1(bars.least) * 100
        return f"{BLIND} {least:.0f} %; fmnist-bench gate measures in turns"
    spread = "no interval" if interval is None else "no useful interval"
    if interval is not None and interval[1] - interval[0] < 2 * MOST_CHANGE:
        spread = " to ".join(map(percent, interval))
    needed = percent(math.copysign(bars.sure, sides.change))
    units = "processes" if sides.is_repeated else "runs"
    return f"{spread}, needs {needed} ({len(sides.base)} + {len(sides.head)} {units})"
