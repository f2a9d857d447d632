"""Learning rate and momentum as functions of the fraction of the budget spent, whatever its unit.

Schedules that their sources step once an epoch count in the epochs of the recipe: under another
budget they stretch with it. `plateau` follows the validation loss instead (`control.py`).
"""

import math

from bench.spec.recipe import Recipe

ONE_CYCLE_RISE = 0.3  # torch's defaults: share of the rise, first and last rate below the peak
ONE_CYCLE_FIRST, ONE_CYCLE_LAST = 1 / 25, 1 / 25e4


def learning_rate_at(recipe: Recipe, fraction: float) -> float:
    """Return the rate after a share of the budget: a linear warm-up, then the schedule.

    The warm-up rises from a tenth of the peak.
    """
    peak, warmup = recipe.learning_rate or 0.0, recipe.warmup_fraction
    if fraction < warmup:
        return peak * (0.1 + 0.9 * fraction / warmup)
    return peak * _share_of_peak(recipe, _progress(recipe, fraction))


def momentum_at(recipe: Recipe, fraction: float) -> float:
    """Return the momentum of SGD after a share of the budget.

    Where there is a `base_momentum`, it runs against the learning rate, from the recipe's momentum
    down to that.
    """
    lowest, highest = recipe.base_momentum, recipe.momentum
    if lowest is None:
        return highest
    progress = _progress(recipe, fraction)
    if recipe.schedule == "one_cycle":
        return _one_cycle(progress, highest, lowest, highest)
    return highest - (highest - lowest) * _height_of_triangle(recipe, progress)


def _progress(recipe: Recipe, fraction: float) -> float:
    """Return the share of the budget spent since the warm-up, in [0, 1]."""
    warmup = recipe.warmup_fraction
    return min(max(fraction - warmup, 0.0) / (1.0 - warmup), 1.0)


def _share_of_peak(recipe: Recipe, progress: float) -> float:
    match recipe.schedule:
        case "constant" | "plateau":  # the latter is scaled from outside
            return 1.0
        case "linear":
            return 1.0 - progress
        case "cosine":  # Loshchilov and Hutter, SGDR, arXiv 1608.03983
            return 0.5 * (1.0 + math.cos(math.pi * progress))
        case "one_cycle":  # Smith and Topin, Super-Convergence, arXiv 1708.07120
            return _one_cycle(progress, ONE_CYCLE_FIRST, 1.0, ONE_CYCLE_LAST)
        case "step":  # as torch.optim.lr_scheduler.StepLR
            num_drops = _epoch(recipe, progress) // (recipe.schedule_epochs or 1)
            return float(recipe.schedule_factor**num_drops)
        case "triangular" | "triangular2":  # Smith, arXiv 1506.01186; torch's CyclicLR
            lowest = (recipe.base_learning_rate or 0.0) / (recipe.learning_rate or 1.0)
            return lowest + (1.0 - lowest) * _height_of_triangle(recipe, progress)
    raise ValueError(f"schedule {recipe.schedule} has no function")


def _epoch(recipe: Recipe, progress: float) -> int:
    """Return the epoch, from 0; rounding must not hold one back at its first step."""
    return int(progress * (recipe.epochs or 1) + 1e-9)


def _height_of_triangle(recipe: Recipe, progress: float) -> float:
    """Return the height in [0, 1] above the lowest value, stepped once an epoch.

    Under `triangular2` each cycle is half as high as the one before.
    """
    cycles = _epoch(recipe, progress) / (2 * (recipe.schedule_epochs or 1))
    height = 1.0 - abs(2.0 * (cycles % 1.0) - 1.0)
    return height / 2 ** int(cycles) if recipe.schedule == "triangular2" else height


def _one_cycle(progress: float, first: float, middle: float, last: float) -> float:
    """Go from the first value to the middle and on to the last, along half cosines."""
    if progress < ONE_CYCLE_RISE:
        start, end, share = first, middle, progress / ONE_CYCLE_RISE
    else:
        start, end, share = middle, last, (progress - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE)
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * share))
