"""Learning-rate schedules: functions of the fraction of the budget spent, whatever its unit."""

import math
from collections.abc import Callable


def constant(progress: float) -> float:
    """Stays at the peak."""
    del progress
    return 1.0


def linear(progress: float) -> float:
    """Falls in a straight line to zero."""
    return 1.0 - progress


def cosine(progress: float) -> float:
    """Falls along half a cosine to zero (Loshchilov and Hutter, SGDR, arXiv 1608.03983)."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
}


def learning_rate_at(fraction: float, *, schedule: str, warmup: float, peak: float) -> float:
    """Learning rate after `fraction` of the budget: a linear warm-up, then the named schedule.

    Args:
        fraction: share of the budget spent, in [0, 1].
        schedule: a name in `SCHEDULES`; it runs from 0 to 1 over what the warm-up leaves.
        warmup: share of the budget over which the rate rises from a tenth of the peak.
        peak: the highest learning rate.
    """
    if fraction < warmup:
        return peak * (0.1 + 0.9 * fraction / warmup)
    progress = (fraction - warmup) / (1.0 - warmup)
    return peak * SCHEDULES[schedule](min(progress, 1.0))
