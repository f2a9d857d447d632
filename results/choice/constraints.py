"""What a user demands of a row, and what of that a row misses, and by how much."""

import math
import re
from dataclasses import dataclass
from operator import gt, lt

from results.rows.comparable import Row
from results.text import format_bytes, format_count, format_joules, format_seconds, percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What a row must keep to qualify, in base units; None demands nothing."""

    max_seconds: float | None = None  # on the training clock
    min_accuracy: float | None = None  # on the test images, a fraction
    max_memory_bytes: float | None = None  # peak of any seed
    max_joules: float | None = None  # of training
    max_params: float | None = None


@dataclass(frozen=True, slots=True)
class Miss:
    """One demand that a row does not meet."""

    constraint: str  # as on the command line: --max-seconds 5
    key: str  # of the row, or best_validation_accuracy of a target
    value: float | None  # the row's as charged, in the base unit; None where it is unknown
    bound: float
    why: str  # the same in words: train time 30.0 s > 5.00 s

    @property
    def relative_excess(self) -> float:
        """The share of the bound that is missing or too much; infinite for an unknown value."""
        return math.inf if self.value is None else abs(self.value - self.bound) / self.bound


_DEMANDS = (
    ("max_seconds", "--max-seconds", "train_time_s", "train time", format_seconds),
    ("min_accuracy", "--min-accuracy", "test_accuracy", "accuracy", percent),
    ("max_memory_bytes", "--max-memory", "peak_memory_bytes", "memory", format_bytes),
    ("max_joules", "--max-joules", "energy_j", "energy", format_joules),
    ("max_params", "--max-params", "num_params", "params", format_count),
)
_BUDGET_UNITS = {"train_time_s": "s", "energy_j": "J"}


def misses(row: Row, constraints: Constraints) -> list[Miss]:
    """What of the demands a row does not meet, a value that is unknown included."""
    found = []
    for name, option, key, noun, text in _DEMANDS:
        bound, value = getattr(constraints, name), charged(row, key)
        sign, is_broken = ("<", lt) if name == "min_accuracy" else (">", gt)
        if bound is None or (value is not None and not is_broken(value, bound)):
            continue
        why = f"{noun} unknown"
        if value is not None:
            ours, theirs = text(value), text(bound)
            if ours == theirs:  # three digits do not show what is missing
                ours, theirs = f"{value:.9g}", f"{bound:.9g}"
            why = f"{noun} {ours} {sign} {theirs}"
        is_scaled = text in (format_bytes, format_count)
        typed = text(bound).replace(" ", "") if is_scaled else f"{bound:g}"
        found.append(Miss(f"{option} {typed}", key, value, bound, why))
    return found


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
