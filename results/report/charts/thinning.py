"""Long runs of numbers made short: bins of equal length, and no digits that nobody could see."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Bins(NamedTuple):
    """Stretches of equal length, but for one value.

    Attributes:
        middle: Of each stretch, counted from 1 for the first value.
        low: Its lowest value.
        mean: Its mean.
        high: Its highest value.
    """

    middle: list[float]
    low: list[float]
    mean: list[float]
    high: list[float]


def binned(values: "np.ndarray[Any, Any]", most: int) -> Bins:
    """At most so many stretches of the values, in order; each value itself where they are fewer.

    Args:
        values: (N,) finite, N at least 1.
        most: How many stretches.
    """
    import numpy as np

    edges = np.linspace(0, len(values), min(most, len(values)) + 1).round().astype(int)
    starts, ends = edges[:-1], edges[1:]
    return Bins(
        ((starts + 1 + ends) / 2).tolist(),
        np.minimum.reduceat(values, starts).tolist(),
        (np.add.reduceat(values, starts) / (ends - starts)).tolist(),
        np.maximum.reduceat(values, starts).tolist(),
    )


def rounded(values: Iterable[float], digits: int) -> list[float]:
    """The values to so many significant digits, as short as JSON writes them."""
    return [float(f"{value:.{digits}g}") for value in values]


def finite_or_none(value: float | None) -> float | None:
    """The value, or None where it is unknown or no number."""
    return value if value is not None and math.isfinite(value) else None
