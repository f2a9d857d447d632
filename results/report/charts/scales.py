"""Axes whose ends are known beforehand, so that labels can be placed in pixels."""

import math
from collections.abc import Sequence
from typing import NamedTuple

PAD = 0.06  # of an axis, kept free at either end
MOST_TICKS = 8
PIXELS_A_TICK = 50.0


class Scale(NamedTuple):
    """An axis from `low` to `high` in data units, linear or logarithmic."""

    low: float
    high: float
    is_log: bool = False

    def pixel(self, value: float, length: int) -> float:
        """Pixels from the low end of an axis of `length` pixels."""
        low, high, at = (self.warped(v) for v in (self.low, self.high, value))
        return (at - low) / (high - low) * length

    def warped(self, value: float) -> float:
        """The value in units in which the axis is linear."""
        return math.log10(value) if self.is_log else value

    def unwarped(self, value: float) -> float:
        """The value whose `warped` this is."""
        return 10.0**value if self.is_log else value

    def ticks(self, most: int = 6) -> list[float]:
        """Values to write at the axis: of a logarithmic one 1, 2 and 5 times powers of ten."""
        if not self.is_log:
            return _round_values(self.low, self.high, most)
        for digits in ((1, 2, 5), (1, 3), (1,)):
            values = [
                digit * 10.0**power
                for power in range(
                    math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
                )
                for digit in digits
            ]
            found = [value for value in values if self.low <= value <= self.high]
            if 2 <= len(found) <= most:
                return found
        if len(found) > most:
            return found[:: math.ceil(len(found) / most)]
        return _round_values(self.low, self.high, max(most, 5))  # too short for powers of ten


def log_scale(values: Sequence[float]) -> Scale:
    """A logarithmic axis around positive values, at least a factor of two long."""
    low, high = min(values), max(values)
    middle = math.sqrt(low * high)
    low, high = min(low, middle / math.sqrt(2)), max(high, middle * math.sqrt(2))
    room = (high / low) ** PAD
    return Scale(low / room, high * room, is_log=True)


def linear_scale(
    values: Sequence[float], least: float = -math.inf, most: float = math.inf
) -> Scale:
    """A linear axis around the values, within what they can be at all."""
    low, high = min(values), max(values)
    room = (high - low or abs(high) or 1.0) * PAD
    return Scale(max(least, low - room), min(most, high + room))


def with_room(scale: Scale, texts: Sequence[tuple[float, float]], length: int) -> Scale:
    """The axis, its high end moved on until there is room for a text to the right of each value.

    Args:
        scale: It keeps its low end.
        texts: Each value, and the pixels that its text takes; at most three quarters of the axis.
        length: Pixels of the axis.
    """
    low, high = scale.warped(scale.low), scale.warped(scale.high)
    ends = [
        low + (scale.warped(value) - low) * length / (length - min(pixels, 0.75 * length))
        for value, pixels in texts
    ]
    return scale._replace(high=max(scale.high, scale.unwarped(max([high, *ends]))))


def num_ticks(scale: Scale, ruled: Scale, length: int) -> int:
    """How many ticks have room in the part of an axis that has values.

    Args:
        scale: The whole axis.
        ruled: That part.
        length: Pixels of the whole axis.
    """
    return max(2, min(MOST_TICKS, round(scale.pixel(ruled.high, length) / PIXELS_A_TICK)))


def _round_values(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]
