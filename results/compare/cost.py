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
tests/results/compare/test_cost.py draws them anew): with one process a side 80 % are green, 1.0 %
red and 19 % unclear; with three 12, 0.7 and 87 %, as several claim to see a tenth: on such a
machine only turns do. Of one row that takes twice as long 89 and 97 % are red.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

from results.compare.checks import Match
from results.gate.pairs import percent
from results.gate.verdict import Check, Finding, Outcome
from results.rows.summary import Summary
from results.statistics import mean, welch_interval

FIRST_OF_PROCESS = "data_load_time"  # only the first run of a process loads the data
LEAST_SDS = 2.0  # of processes, that must lie between two of them before anything is seen
BLIND = "one process a side shows nothing below"
MOST_CHANGE = math.log(10)  # an interval that reaches further is of no use


class Cost(NamedTuple):
    """A cost as a ratio of two measured quantities, and what it is called."""

    check: Check
    words: str
    total: str
    per: str


A_STEP = Cost("speed", "seconds a step", "train_time", "steps")
AN_IMAGE = Cost("speed", "seconds an image", "train_time", "images_seen")
ENERGY = Cost("energy", "joules an image", "energy", "images_seen")


def num_costs(base: Summary, head: Summary) -> int:
    """How many costs a row lets compare."""
    if not (base.finished and head.finished):
        return 0
    return sum(bool(base.values(name) and head.values(name)) for name in ("train_time", "energy"))


def speed_finding(match: Match) -> Finding | None:
    """Seconds a step, or an image where the two have batches of different size."""
    before, after = (side.spec["recipe"].get("batch_size") for side in (match.base, match.head))
    return _finding(match, A_STEP if before == after else AN_IMAGE)


def energy_finding(match: Match) -> Finding | None:
    """Joules an image, if they were measured in one way; None where the base does not know them."""
    before, after = (
        {str(run.conditions.get("energy_method")) for run in side.finished if run.value("energy")}
        for side in (match.base, match.head)
    )
    if not (before and after) or before == after:
        return _finding(match, ENERGY)
    theirs, ours = (" / ".join(sorted(methods)) for methods in (before, after))
    return Finding(
        check="energy",
        model=match.model,
        quantity=ENERGY.words,
        outcome="skipped",
        evidence=f"measured by {theirs} on the base, by {ours} on the head",
    )


def _finding(match: Match, cost: Cost) -> Finding | None:
    """What the cost says, in logarithms, a value a process or, of one process, a value a run."""
    processes = [_by_process(cost, side) for side in (match.base, match.head)]
    if is_repeated := min(map(len, processes)) > 1:
        before, after = ([mean(runs) for runs in side] for side in processes)
    else:
        before, after = ([run for runs in side for run in runs] for side in processes)
    if not (before and after):
        return match.unknown(cost.check, cost.words, cost.total, cost.per) if before else None
    rule, each = match.rule, match.rule.error_rate / max(match.num_costs, 1)
    if is_repeated:
        least, sure, confidence = 0.0, math.log1p(rule.least_change), 1 - each
    else:  # by its seeds one process knows only itself
        least, confidence = LEAST_SDS * rule.process_sd, 1 - rule.error_rate
        sure = max(LEAST_SDS, NormalDist().inv_cdf(1 - each / 2)) * rule.process_sd
    interval = welch_interval(after, before, confidence)
    change = mean(after) - mean(before)
    outcome = _outcome(change, interval, least, sure, rule.threshold)
    needed = percent(math.copysign(sure, change))
    runs = f"({len(before)} + {len(after)} {'processes' if is_repeated else 'runs'})"
    evidence = f"{_spread(interval)}, needs {needed} {runs}"
    if outcome == "same" and not is_repeated:
        evidence = f"{BLIND} {math.expm1(least) * 100:.0f} %; fmnist-bench gate measures in turns"
    return Finding(
        check=cost.check,
        model=match.model,
        quantity=cost.words,
        outcome=outcome,
        base=math.exp(mean(before)),
        head=math.exp(mean(after)),
        change=math.expm1(change),
        evidence=evidence,
    )


def _by_process(cost: Cost, side: Summary) -> list[list[float]]:
    """Logarithms of the cost of the runs that ended well: those of one process together."""
    processes: list[list[float]] = [[]]
    for run in side.records:
        if FIRST_OF_PROCESS in run.measurements:
            processes.append([])
        total, amount = run.value(cost.total), run.value(cost.per)
        if run.status == "ok" and total and amount and min(total, amount) > 0:
            processes[-1].append(math.log(total) - math.log(amount))
    return [runs for runs in processes if runs]


def _outcome(
    change: float, interval: tuple[float, float] | None, least: float, sure: float, threshold: float
) -> Outcome:
    """What a change comes to that must exceed `least`, and its interval clear `sure`."""
    if change > max(math.log1p(threshold), least):
        return "worse" if interval is not None and interval[0] > sure else "unclear"
    is_less = change < min(math.log1p(-threshold), -least)
    return "better" if is_less and interval is not None and interval[1] < -sure else "same"


def _spread(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return "no interval"
    is_useful = interval[1] - interval[0] < 2 * MOST_CHANGE
    return " to ".join(map(percent, interval)) if is_useful else "no useful interval"
