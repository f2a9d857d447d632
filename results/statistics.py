"""Means, spreads and 95 % intervals. Unknown is None: one value has no spread.

The closed forms stand here because `scipy.stats`, which has them too, takes 0.8 s to import, and
`statistics.stdev` is exact and twenty times slower; the tests hold them against scipy.
"""

import math
import statistics as stdlib
from collections.abc import Sequence
from functools import lru_cache

CONFIDENCE = 0.95
Interval = tuple[float, float]

mean = stdlib.fmean
median = stdlib.median  # infinity stands for a miss, and may be the answer


def stdev(values: Sequence[float]) -> float | None:
    """The sample standard deviation (n - 1), or None for fewer than two values."""
    if len(values) < 2:
        return None
    centre = values[0] if min(values) == max(values) else mean(values)
    squares = math.fsum([(value - centre) * (value - centre) for value in values])
    return math.sqrt(squares / (len(values) - 1))


def t_interval(values: Sequence[float]) -> Interval | None:
    """The Student t interval (low, high) of the mean, or None for fewer than two values."""
    return _student(values, 1 / len(values)) if len(values) > 1 else None


def prediction_interval(values: Sequence[float]) -> Interval | None:
    """The interval (low, high) where one further value falls, if all come from one normal law.

    Mean ± t s sqrt(1 + 1/n); the interval of the mean shrinks as values are added, this one comes
    to 1.96 s. None for fewer than two values.
    """
    return _student(values, 1 + 1 / len(values)) if len(values) > 1 else None


def _student(values: Sequence[float], share: float) -> Interval:
    """Mean ± t s sqrt(share)."""
    half = _quantile(len(values) - 1, CONFIDENCE) * (stdev(values) or 0.0) * math.sqrt(share)
    return mean(values) - half, mean(values) + half


def welch_interval(
    ours: Sequence[float], theirs: Sequence[float], confidence: float = CONFIDENCE
) -> Interval | None:
    """Welch's interval (low, high) of mean(ours) - mean(theirs), whose spreads may differ.

    None where either has fewer than two values, as its spread is unknown then.
    """
    if min(len(ours), len(theirs)) < 2:
        return None
    variances = [stdlib.variance(values) / len(values) for values in (ours, theirs)]
    centre, total = mean(ours) - mean(theirs), sum(variances)
    if not total:
        return centre, centre
    # Shares first: the squares of tiny variances would vanish.
    shares = [variance / total for variance in variances]
    sizes = (len(ours), len(theirs))
    freedom = 1 / sum(share**2 / (size - 1) for share, size in zip(shares, sizes, strict=True))
    half = _quantile(freedom, confidence) * math.sqrt(total)
    return centre - half, centre + half


@lru_cache
def _quantile(degrees_of_freedom: float, confidence: float) -> float:
    """Student's quantile: half the width of a two-sided interval, in standard errors."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, (1 + confidence) / 2))


def median_interval(values: Sequence[float]) -> Interval | None:
    """The exact interval (low, high) of a median, between two of the values themselves.

    It holds whatever the distribution: each value lies below the median with probability 1/2. Of
    the intervals between the k-th smallest and the k-th largest value it is the narrowest that
    covers the median with 95 %; None for fewer than six values, too few for one.
    """
    rank, num_missed = 0, 1  # samples of 2 ** count that have less than rank + 1 values on a side
    while 2 * num_missed <= (1 - CONFIDENCE) * 2 ** len(values):
        rank += 1
        num_missed += math.comb(len(values), rank)
    ordered = sorted(values)
    return (ordered[rank - 1], ordered[-rank]) if rank else None


def wilson_interval(accuracy: float, num_images: int) -> Interval:
    """The test-sampling interval (low, high) of an accuracy measured on num_images images."""
    z = stdlib.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    shrink = 1 + z * z / num_images
    centre = (accuracy + z * z / (2 * num_images)) / shrink
    variance = accuracy * (1 - accuracy) / num_images + (z / (2 * num_images)) ** 2
    half = z * math.sqrt(variance) / shrink
    return max(0.0, centre - half), min(1.0, centre + half)
