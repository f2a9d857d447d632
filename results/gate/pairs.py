"""A pair: what fresh processes of two commits took in turns, and the change that it shows."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from results.statistics import mean, median

BASE, HEAD, AGAIN = "base", "head", "again"


@dataclass(frozen=True, slots=True)
class Pair:
    """Seconds a step of each turn, in time order; two turns a round and side.

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
        return median([head - (base + again) / 2 for base, head, again in self._rounds()])

    @property
    def control(self) -> float:
        """Logarithm of base over base: what this pair would have found had nothing changed."""
        return median([again - base for base, _, again in self._rounds()])

    def _rounds(self) -> Iterator[tuple[float, float, float]]:
        """Logarithms of the seconds of each round, forward and backward turn together."""
        for first in range(0, len(self.base), 2):
            base, head, again = (
                math.log(mean(turns[first : first + 2]))
                for turns in (self.base, self.head, self.again)
            )
            yield base, head, again
