"""What a user demands of a row, and what of that a row misses, and by how much."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from results.rows.comparable import Row
from results.text import format_bytes, format_count, format_joules, format_seconds, percent, points


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What a row must keep to qualify, in base units; None demands nothing.

    Attributes:
        max_seconds: most seconds on the training clock.
        min_accuracy: least test accuracy, a fraction.
        max_memory_bytes: most peak memory of any seed.
        max_joules: most energy of training.
        max_params: most parameters.
    """

    max_seconds: float | None = None
    min_accuracy: float | None = None
    max_memory_bytes: float | None = None
    max_joules: float | None = None
    max_params: float | None = None


@dataclass(frozen=True, slots=True)
class Miss:
    """One demand that a row does not meet.

    Attributes:
        option: the demand as on the command line, such as `--max-seconds 5`.
        key: row key of the quantity, or `best_validation_accuracy` of a target.
        value: the row's as charged, in the base unit; None where it is unknown.
        bound: what was demanded.
        why: the same in words: train time 30.0 s > 5.00 s.
        excess: by how much, in words: 25.0 s over.
    """

    option: str
    key: str
    value: float | None
    bound: float
    why: str
    excess: str = ""

    @property
    def relative_excess(self) -> float:
        """The share of the bound that is missing or too much; infinite for an unknown value."""
        return math.inf if self.value is None else abs(self.value - self.bound) / self.bound


def misses(row: Row, constraints: Constraints) -> tuple[Miss, ...]:
    """What of the demands a row does not meet, a value that is unknown included."""
    found = []
    for demand in _DEMANDS:
        bound = getattr(constraints, demand.name)
        value = charged(row, demand.key)
        if bound is not None and (value is None or demand.is_broken(value, bound)):
            found.append(demand.miss(value, bound))
    return tuple(found)


def charged(row: Row, key: str) -> float | None:
    """A row's value, but no more than its budget grants.

    A budget of seconds or joules is overrun by a chunk at most: whoever asks for 30 s means the
    rows that were trained for 30 s, and one is not faster than another by what it overran less.
    """
    value: float | None = row[key]
    unit = _BUDGET_UNITS.get(key)
    if value is None or unit is None:
        return value
    budget = re.fullmatch(rf"(\d+(?:\.\d+)?(?:e[+-]?\d+)?){unit}", row["budget"])
    return min(value, float(budget[1])) if budget else value


_BUDGET_UNITS = {"train_time_s": "s", "energy_j": "J"}


@dataclass(frozen=True, slots=True)
class _Demand:
    name: str  # of the field of Constraints
    option: str
    key: str
    noun: str
    text: Callable[[float], str]
    is_minimum: bool = False

    def is_broken(self, value: float, bound: float) -> bool:
        return value < bound if self.is_minimum else value > bound

    def miss(self, value: float | None, bound: float) -> Miss:
        option = f"{self.option} {_as_typed(bound, self.text)}"
        if value is None:
            return Miss(option, self.key, None, bound, f"{self.noun} unknown")
        ours, theirs = self.text(value), self.text(bound)
        if ours == theirs:  # three digits do not show what is missing
            ours, theirs = f"{value:.9g}", f"{bound:.9g}"
        why = f"{self.noun} {ours} {'<' if self.is_minimum else '>'} {theirs}"
        return Miss(option, self.key, value, bound, why, self._excess(abs(value - bound)))

    def _excess(self, amount: float) -> str:
        text = f"{points(amount)} points" if self.is_minimum else self.text(amount)
        return f"{text} {'under' if self.is_minimum else 'over'}"


def _as_typed(bound: float, text: Callable[[float], str]) -> str:
    is_scaled = text in (format_bytes, format_count)
    return text(bound).replace(" ", "") if is_scaled else f"{bound:g}"


_DEMANDS = (
    _Demand("max_seconds", "--max-seconds", "train_time_s", "train time", format_seconds),
    _Demand("min_accuracy", "--min-accuracy", "test_accuracy", "accuracy", percent, True),
    _Demand("max_memory_bytes", "--max-memory", "peak_memory_bytes", "memory", format_bytes),
    _Demand("max_joules", "--max-joules", "energy_j", "energy", format_joules),
    _Demand("max_params", "--max-params", "num_params", "params", format_count),
)
