"""Means, spreads and 95 % intervals. Unknown is None: one value has no spread."""

import math
import statistics as stdlib
from collections.abc import Sequence
from functools import lru_cache

CONFIDENCE = 0.95


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean of at least one value."""
    return math.fsum(values) / len(values)


def median(values: Sequence[float]) -> float:
    """The median of at least one value; infinity stands for a miss and may be the answer."""
    return stdlib.median(values)


def stdev(values: Sequence[float]) -> float | None:
    """The sample standard deviation (n - 1), or None for fewer than two values."""
    return _stdev(values) if len(values) > 1 else None


def t_interval(
    values: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """The Student t interval (low, high) of the mean, or None for fewer than two values."""
    return _student(values, math.sqrt(1 / len(values)), confidence) if len(values) > 1 else None


def prediction_interval(
    values: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """The interval (low, high) where one further value falls, if all come from one normal law.

    Mean ± t s sqrt(1 + 1/n); the interval of the mean shrinks as values are added, this one comes
    to 1.96 s. None for fewer than two values.
    """
    return _student(values, math.sqrt(1 + 1 / len(values)), confidence) if len(values) > 1 else None


def welch_interval(
    ours: Sequence[float], theirs: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
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


def _student(values: Sequence[float], factor: float, confidence: float) -> tuple[float, float]:
    quantile = _quantile(len(values) - 1, confidence)
    centre, half = mean(values), quantile * _stdev(values) * factor
    return centre - half, centre + half


def _stdev(values: Sequence[float]) -> float:
    # stdlib's goes through fractions, exact and twenty times slower; of equal values it is zero.
    if values.count(values[0]) == len(values):
        return 0.0
    centre = mean(values)
    squares = math.fsum([(value - centre) * (value - centre) for value in values])
    return math.sqrt(squares / (len(values) - 1))


@lru_cache
def _quantile(degrees_of_freedom: float, confidence: float) -> float:
    """Student's quantile: half the width of a two-sided interval, in standard errors."""
    from scipy.special import stdtrit  # scipy.stats would take 0.8 s

    return float(stdtrit(degrees_of_freedom, (1 + confidence) / 2))


def median_interval(
    values: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """The exact interval (low, high) of a median, between two of the values themselves.

    It holds whatever the distribution: each value lies below the median with probability 1/2. Of
    the intervals between the k-th smallest and the k-th largest value it is the narrowest that
    covers the median with at least this confidence; None where the values are too few for one
    (at 95 %: fewer than six).
    """
    ranks = range(1, len(values) // 2 + 1)
    rank = max((k for k in ranks if _median_coverage(len(values), k) >= confidence), default=None)
    if rank is None:
        return None
    ordered = sorted(values)
    return ordered[rank - 1], ordered[-rank]


def _median_coverage(count: int, rank: int) -> float:
    """Probability that the median lies between the rank-th smallest and the rank-th largest."""
    num_missed = sum(math.comb(count, below) for below in range(rank))  # on one side
    return 1.0 - num_missed / float(2 ** (count - 1))


def wilson_interval(
    accuracy: float, num_images: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The test-sampling interval (low, high) of an accuracy measured on num_images images."""
    z = stdlib.NormalDist().inv_cdf((1 + confidence) / 2)
    shrink = 1 + z * z / num_images
    centre = (accuracy + z * z / (2 * num_images)) / shrink
    variance = accuracy * (1 - accuracy) / num_images + (z / (2 * num_images)) ** 2
    half = z * math.sqrt(variance) / shrink
    return max(0.0, centre - half), min(1.0, centre + half)
