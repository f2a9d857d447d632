"""A pair: what fresh processes of two commits took in turns, and the change that it shows."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from results.statistics import median

BASE, HEAD, AGAIN = "base", "head", "again"


@dataclass(frozen=True, slots=True)
class Pair:
    """Seconds a step of each turn, a turn a round and side, in time order.

    The pair is the statistical unit: turns of one process resemble each other (lag-1 correlations
    of 0.7 to 0.9 were seen), and processes of the same code differ by more than their turns do.

    Attributes:
        base: of the base.
        head: of the head.
        again: of a second process of the base, the control.
    """

    base: tuple[float, ...]
    head: tuple[float, ...]
    again: tuple[float, ...]

    @property
    def change(self) -> float:
        """Logarithm of head over base, both processes of the base counting: median of rounds."""
        return median([head - (base + again) / 2 for base, head, again in self._logarithms()])

    @property
    def control(self) -> float:
        """Logarithm of base over base: what chance alone has made of this pair."""
        return median([again - base for base, _, again in self._logarithms()])

    @property
    def percent(self) -> float:
        """The change in percent."""
        return 100 * math.expm1(self.change)

    def _logarithms(self) -> Iterator[tuple[float, ...]]:
        for turns in zip(self.base, self.head, self.again, strict=True):
            yield tuple(map(math.log, turns))
