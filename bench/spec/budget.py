"""The budget: the one thing held equal when models are compared."""

import math
import re
from dataclasses import dataclass
from typing import Self

from bench.errors import UsageError

# unit -> what it counts; the first three and flops are known in steps before training begins
UNITS = {
    "epochs": "passes over the training split",
    "steps": "optimizer updates",
    "images": "training examples seen",
    "s": "seconds on the training clock",
    "flops": "FLOPs of training steps, as torch's flop counter counts them",
    "J": "joules of the GPU, read through NVML",
}
EXAMPLES = "3epochs, 5000steps, 180000images, 60s, 2e15flops, 500J"
MOST = 1e30  # of any unit; beyond, a number of steps need not be finite
_PATTERN = re.compile(r"\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([A-Za-z]+)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount of one unit of `UNITS`, such as 3 epochs or 60 seconds.

    Raises:
        UsageError: the amount is not a positive number, or not whole where only that has a sense.
    """

    amount: float
    unit: str

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise UsageError(f"unknown budget unit {self.unit!r}; write for example {EXAMPLES}")
        if not (math.isfinite(self.amount) and self.amount > 0):
            raise UsageError(f"a budget must be a positive number, not {self.amount:g}{self.unit}")
        if self.amount > MOST:
            raise UsageError(f"a budget of {self.amount:g}{self.unit} never ends; name a smaller")
        if self.unit in {"steps", "images"} and self.amount != int(self.amount):
            raise UsageError(f"a budget of {self.unit} must be whole, not {self.amount:g}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `3epochs`, `5000steps`, `180000images`, `60s`, `2e15flops` or `500J`.

        Raises:
            UsageError: the text is none of these; the line says what is.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise UsageError(f"cannot read the budget {text!r}; write for example {EXAMPLES}")
        number, unit = match.groups()
        plural = unit if unit in UNITS else f"{unit}s"
        if plural not in UNITS:
            raise UsageError(f"unknown unit in the budget {text!r}; write for example {EXAMPLES}")
        return cls(float(number), plural)

    def __str__(self) -> str:
        return f"{_shortest(self.amount)}{self.unit}"

    @property
    def is_counted(self) -> bool:
        """Whether the number of steps is known before training (not so for seconds and joules)."""
        return self.unit not in {"s", "J"}

    def total_steps(
        self, *, batch_size: int, images_per_epoch: int, flops_per_image: float | None = None
    ) -> int:
        """Return the steps that this counted budget pays for; it may be overrun by less than one.

        Args:
            batch_size: images in a full batch.
            images_per_epoch: images that one pass really sees (fewer than the split's where the
                ragged last batch is dropped).
            flops_per_image: FLOPs of a training step for one image; needed for `flops` alone.
        """
        if self.unit == "steps":
            return int(self.amount)
        images = self._images(images_per_epoch, flops_per_image)
        # a product such as 0.1 * 54000 may lie a hair above the whole number it stands for
        full_epochs, rest = divmod(round(images, 6), images_per_epoch)
        steps_per_epoch = math.ceil(images_per_epoch / batch_size)
        return max(1, int(full_epochs) * steps_per_epoch + math.ceil(rest / batch_size))

    def _images(self, images_per_epoch: int, flops_per_image: float | None) -> float:
        if self.unit == "images":
            return self.amount
        if self.unit == "epochs":
            return self.amount * images_per_epoch
        if self.unit == "flops" and flops_per_image:
            return self.amount / flops_per_image
        raise ValueError(f"{self} has no number of steps known in advance")


def _shortest(amount: float) -> str:
    """Return the shortest decimal that reads back as the same number."""
    if amount == int(amount) and amount < 1e9:
        return str(int(amount))
    shortest = (f"{amount:.{digits}g}" for digits in range(1, 18))
    return next(text for text in shortest if float(text) == amount).replace("e+", "e")
