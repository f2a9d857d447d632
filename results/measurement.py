"""A measured quantity with every raw value; its statistics are derived, never stored."""

import math
from dataclasses import dataclass

from results import statistics
from results.errors import RecordError


@dataclass(frozen=True, slots=True)
class Measurement:
    """The raw values of one quantity, in base units such as s, bytes, J or images/s."""

    quantity: str
    unit: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuses what is no measurement: an unknown is named with its reason, not stored."""
        if not self.values or not all(math.isfinite(value) for value in self.values):
            raise RecordError(
                f"measurement {self.quantity!r} needs finite values, got {list(self.values)}; "
                "name an unknown quantity in `missing` with its reason"
            )

    def mean(self) -> float:
        """The arithmetic mean, in the measurement's unit."""
        return statistics.mean(self.values)

    def median(self) -> float:
        """The median, in the measurement's unit."""
        return statistics.median(self.values)

    def stdev(self) -> float | None:
        """The sample standard deviation; None for a single value."""
        return statistics.stdev(self.values)
