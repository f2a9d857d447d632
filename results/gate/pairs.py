"""A pair: what fresh processes of two commits took in turns, and the change that it shows."""

import math
from dataclasses import dataclass

from results.statistics import mean

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
        """Logarithm of head over base, all turns and both processes of the base counting.

        Of totals, not the median of rounds, which would drop what comes only now and then, as work
        at the start of each epoch does.
        """
        base, head, again = self._logarithms()
        return head - (base + again) / 2

    @property
    def control(self) -> float:
        """Logarithm of base over base: what chance alone has made of this pair."""
        base, _, again = self._logarithms()
        return again - base

    @property
    def percent(self) -> float:
        """The change in percent."""
        return 100 * math.expm1(self.change)

    def _logarithms(self) -> tuple[float, float, float]:
        """Of the mean seconds a step of each side; every turn has as many steps."""
        base, head, again = (math.log(mean(turns)) for turns in (self.base, self.head, self.again))
        return base, head, again
