"""A measured quantity with every raw value; its statistics are derived, never stored."""

import math
from dataclasses import dataclass

from results import statistics
from results.errors import RecordError
from results.text import cut

LARGEST, SMALLEST = 1e39, 1e-46  # float32 ends before; products of two still are finite floats
ACCURACIES = frozenset({"test_accuracy", "train_accuracy"})
LARGEST_COUNT = 2**63 - 1024  # as rows are written with 64 bits; the float below 2**63
COUNTS = frozenset(
    {
        *("num_params", "num_trainable_params", "flops_per_image", "flops_per_step"),
        *("bytes_per_step", "steps", "images_seen", "peak_memory"),
    }
)
NEVER_NEGATIVE = ACCURACIES | {
    *("test_loss", "train_loss", "train_time", "epoch_time", "time_to_target", "evaluation_time"),
    *("images_seen", "steps", "epochs", "throughput", "energy", "floor", "percent_of_floor"),
    *("num_params", "num_trainable_params", "flops_per_image", "flops_per_step"),
    *("bytes_per_step", "kernels_per_step", "mfu", "bandwidth"),
    *("turn_seconds", "turn_images", "turn_steps", "images_per_epoch", "budget_images"),
}


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
                f"measurement {cut(self.quantity)!r} needs finite values, got "
                f"{cut(str(list(self.values)))}; "
                "name an unknown quantity in `missing` with its reason"
            )
        if not all(is_possible(self.quantity, value) for value in self.values):
            raise RecordError(
                f"measurement {cut(self.quantity)!r} has a value that cannot be: "
                f"{cut(str(list(self.values)))}"
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


def is_possible(quantity: str, value: float) -> bool:
    """Whether a quantity can have a value: a size that float32 has, and a sign that it has."""
    if value < 0 and quantity in NEVER_NEGATIVE:
        return False
    if value > 1 and quantity in ACCURACIES:
        return False
    if value > LARGEST_COUNT and quantity in COUNTS:
        return False
    return value == 0 or SMALLEST < abs(value) < LARGEST
