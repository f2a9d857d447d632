"""Learning-rate schedules: functions of the fraction of the budget spent, whatever its unit.

Schedules that their sources step once an epoch count in the epochs of the recipe: under another
budget they stretch with it. `plateau` follows the validation loss instead (`control.py`).
"""

import math
from collections.abc import Callable

from bench.spec.recipe import Recipe

ONE_CYCLE_RISE = 0.3  # torch's defaults: share of the rise, first and last rate below the peak
ONE_CYCLE_FIRST, ONE_CYCLE_LAST = 1 / 25, 1 / 25e4


def constant(progress: float, recipe: Recipe) -> float:
    """Stays at the peak; `plateau` scales it from outside."""
    del progress, recipe
    return 1.0


def linear(progress: float, recipe: Recipe) -> float:
    """Falls in a straight line to zero."""
    del recipe
    return 1.0 - progress


def cosine(progress: float, recipe: Recipe) -> float:
    """Falls along half a cosine to zero (Loshchilov and Hutter, SGDR, arXiv 1608.03983)."""
    del recipe
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def one_cycle(progress: float, recipe: Recipe) -> float:
    """Rises and falls along half cosines, as `torch.optim.lr_scheduler.OneCycleLR` does.

    Smith and Topin, Super-Convergence, arXiv 1708.07120.
    """
    del recipe
    if progress < ONE_CYCLE_RISE:
        return _along_cosine(ONE_CYCLE_FIRST, 1.0, progress / ONE_CYCLE_RISE)
    return _along_cosine(1.0, ONE_CYCLE_LAST, (progress - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE))


def step(progress: float, recipe: Recipe) -> float:
    """Falls by a factor every few epochs, as `torch.optim.lr_scheduler.StepLR` does."""
    return float(
        recipe.schedule_factor ** (_epoch(progress, recipe) // (recipe.schedule_epochs or 1))
    )


def triangular(progress: float, recipe: Recipe) -> float:
    """Up and down between two rates, stepped once an epoch (Smith, arXiv 1506.01186)."""
    return _between_rates(_triangle(progress, recipe)[0], recipe)


def triangular2(progress: float, recipe: Recipe) -> float:
    """As `triangular`, each cycle half as high as the one before (`CyclicLR` of torch)."""
    height, cycle = _triangle(progress, recipe)
    return _between_rates(height / 2**cycle, recipe)


SCHEDULES: dict[str, Callable[[float, Recipe], float]] = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "one_cycle": one_cycle,
    "step": step,
    "triangular": triangular,
    "triangular2": triangular2,
    "plateau": constant,
}


def learning_rate_at(recipe: Recipe, fraction: float) -> float:
    """Learning rate after a share of the budget: a linear warm-up, then the recipe's schedule.

    Args:
        recipe: gives the peak, the schedule, and the share of the budget over which the rate rises
            from a tenth of the peak.
        fraction: share of the budget spent, in [0, 1].
    """
    peak, warmup = recipe.learning_rate or 0.0, recipe.warmup_fraction
    if fraction < warmup:
        return peak * (0.1 + 0.9 * fraction / warmup)
    return peak * SCHEDULES[recipe.schedule](_progress(recipe, fraction), recipe)


def momentum_at(recipe: Recipe, fraction: float) -> float:
    """Momentum of SGD after a share of the budget.

    Where there is a `base_momentum`, it runs against the learning rate, from the recipe's momentum
    down to that.
    """
    lowest, highest = recipe.base_momentum, recipe.momentum
    if lowest is None:
        return highest
    progress = _progress(recipe, fraction)
    if recipe.schedule == "one_cycle":
        return _one_cycle_momentum(progress, lowest, highest)
    height, cycle = _triangle(progress, recipe)
    scale = 2**cycle if recipe.schedule == "triangular2" else 1
    return highest - (highest - lowest) * height / scale


def _progress(recipe: Recipe, fraction: float) -> float:
    warmup = recipe.warmup_fraction
    return min(max(fraction - warmup, 0.0) / (1.0 - warmup), 1.0)


def _epoch(progress: float, recipe: Recipe) -> int:
    """The epoch of the recipe, from 0; rounding must not hold one back at its first step."""
    return int(progress * (recipe.epochs or 1) + 1e-9)


def _triangle(progress: float, recipe: Recipe) -> tuple[float, int]:
    """Height in [0, 1] on the way up and down, and the number of cycles done."""
    cycles = _epoch(progress, recipe) / (2 * (recipe.schedule_epochs or 1))
    return 1.0 - abs(2.0 * (cycles % 1.0) - 1.0), int(cycles)


def _between_rates(height: float, recipe: Recipe) -> float:
    """Share of the peak at a height in [0, 1] above the lowest rate."""
    lowest = (recipe.base_learning_rate or 0.0) / (recipe.learning_rate or 1.0)
    return lowest + (1.0 - lowest) * height


def _along_cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * share))


def _one_cycle_momentum(progress: float, lowest: float, highest: float) -> float:
    if progress < ONE_CYCLE_RISE:
        return _along_cosine(highest, lowest, progress / ONE_CYCLE_RISE)
    return _along_cosine(lowest, highest, (progress - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE))
