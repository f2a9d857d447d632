"""A measured quantity with every raw value; its statistics are derived, never stored."""

import math

import msgspec

from results import statistics
from results.errors import RecordError
from results.text import cut

LARGEST, SMALLEST = 1e39, 1e-46  # float32 ends before; products of two still are finite floats
LARGEST_COUNT = 2**63 - 1024  # as rows are written with 64 bits; the float below 2**63
RANGES: dict[str, tuple[float, float]] = {  # of quantities that have a sign or an end
    "test_accuracy": (0, 1),
    "train_accuracy": (0, 1),
    "peak_memory": (-LARGEST, LARGEST_COUNT),
    **dict.fromkeys(
        (
            *("num_params", "num_trainable_params", "flops_per_image", "flops_per_step"),
            *("bytes_per_step", "steps", "images_seen"),
        ),
        (0, LARGEST_COUNT),
    ),
    **dict.fromkeys(
        (
            *("test_loss", "train_loss", "train_time", "epoch_time", "time_to_target", "epochs"),
            *("evaluation_time", "throughput", "energy", "floor", "percent_of_floor"),
            *("kernels_per_step", "mfu", "bandwidth", "turn_seconds", "turn_images", "turn_steps"),
            *("images_per_epoch", "budget_images"),
        ),
        (0, LARGEST),
    ),
}
ANY = (-LARGEST, LARGEST)


class Measurement(msgspec.Struct, frozen=True, gc=False):
    """The raw values of one quantity, in base units such as s, bytes, J or images/s."""

    quantity: str
    unit: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what is no measurement: an unknown is named with its reason, not stored."""
        low, high = RANGES.get(self.quantity, ANY)
        are_possible = bool(self.values)
        for value in self.values:  # not in one expression: a store has millions of them
            if not low <= value <= high or 0 < abs(value) <= SMALLEST:
                are_possible = False
        if not are_possible:
            raise RecordError(self._fault())

    def _fault(self) -> str:
        name, values = cut(self.quantity), cut(str(list(self.values)))
        if self.values and all(map(math.isfinite, self.values)):
            return f"measurement {name!r} has a value that cannot be: {values}"
        return (
            f"measurement {name!r} needs finite values, got {values}; "
            "name an unknown quantity in `missing` with its reason"
        )

    def mean(self) -> float:
        """The arithmetic mean, in the measurement's unit."""
        return self.values[0] if len(self.values) == 1 else statistics.mean(self.values)

    def median(self) -> float:
        """The median, in the measurement's unit."""
        return statistics.median(self.values)

    def stdev(self) -> float | None:
        """The sample standard deviation; None for a single value."""
        return statistics.stdev(self.values)
