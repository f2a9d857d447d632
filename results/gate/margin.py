"""Accuracy against a margin that may be lost: not inferior, worse, or no answer."""

from collections.abc import Sequence

from results.gate.verdict import Outcome
from results.statistics import t_interval

Interval = tuple[float, float] | None
ROUNDING = 1e-9  # a loss of just the margin is allowed: 0.9 - 0.89 is more than 0.01


def paired_interval(changes: Sequence[float]) -> Interval:
    """The 95 % Student interval of the mean of paired changes; None where one seed has changed.

    What is equal seed by seed is so without a spread: on a CPU the same code gives the same bits.
    """
    return t_interval(changes) if any(changes) else (0.0, 0.0)


def margin_outcome(change: float, interval: Interval, margin: float) -> Outcome:
    """What a change of accuracy is, of which no more than a margin may be lost.

    `same` (not inferior) where the interval stays above the margin; `worse` where the mean falls
    below it and the interval excludes 0; `unclear` in between.

    Args:
        change: of the mean, a fraction.
        interval: at 95 %; None where it is unknown.
        margin: that may be lost, a fraction.
    """
    if interval is None:
        return "unclear"
    low, high = interval
    least = -margin - ROUNDING
    if low >= least:
        return "better" if low > 0 and change > margin else "same"
    return "worse" if change < least and high < 0 else "unclear"
