"""The budget: the one thing held equal when models are compared."""

import math
from dataclasses import dataclass
from typing import Self

from bench.errors import UsageError
from bench.spec.amounts import JOULES, SECONDS, scaled, split_amount

# unit -> what it counts; the first three and flops are known in steps before training begins
UNITS = {
    "epochs": "passes over the training split",
    "steps": "optimizer updates",
    "images": "training examples seen",
    "s": "seconds on the training clock",
    "flops": "FLOPs of training steps, as torch's flop counter counts them",
    "J": "joules of the device, where it counts them",
}
EXAMPLES = "3epochs, 5000steps, 180000images, 60s, 5min, 2e15flops, 500J"
MOST = 1e30  # of any unit; beyond, a number of steps need not be finite
_WORDS = {  # as people write the units, in lower case: what one is, in which unit
    **{word: (factor, "s") for word, factor in SECONDS.items() if word},
    **{word: (factor, "J") for word, factor in JOULES.items() if word},
    **{
        f"{prefix}{word}": (10.0**power, "flops")
        for prefix, power in {"": 0, "m": 6, "g": 9, "t": 12, "p": 15, "e": 18}.items()
        for word in ("flop", "flops")
    },
    **{
        word: (1.0, f"{word.removesuffix('s')}s")
        for word in ("epoch", "epochs", "step", "steps", "image", "images")
    },
}


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
        """Read `3epochs`, `5000steps`, `180000images`, `60s`, `5min`, `2e15flops` or `500J`.

        Minutes and hours become seconds, kJ and Wh joules, and `2PFLOPs` is 2e15flops.

        Raises:
            UsageError: the text is none of these; the line says what is.
        """
        number, word = split_amount(text) or (math.nan, "")
        if not word:
            raise UsageError(f"cannot read the budget {text!r}; write for example {EXAMPLES}")
        if word.lower() not in _WORDS:
            raise UsageError(f"unknown unit in the budget {text!r}; write for example {EXAMPLES}")
        factor, unit = _WORDS[word.lower()]
        return cls(scaled(number, factor), unit)

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
