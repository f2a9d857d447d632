"""What a run is asked to leave beside its record."""

from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.spec.budget import Budget

EVERY_EPOCH = Budget.parse("1epochs")
UNITS = ("epochs", "steps", "s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts:
    """Saved models and logs of a run; nothing by default."""

    checkpoints: Path | None = None  # folder of saved models
    every: Budget = EVERY_EPOCH  # while training: so many epochs, steps or seconds of it
    tensorboard: Path | None = None  # folder of TensorBoard's event files


NOTHING = Artifacts()


def parse_every(text: str | None) -> Budget:
    """Read how often to save, such as `2epochs`, `500steps` or `60s`; each epoch where None.

    Raises:
        UsageError: no amount, or one of another unit.
    """
    if text is None:
        return EVERY_EPOCH
    every = Budget.parse(text)
    is_whole = every.unit == "s" or float(every.amount).is_integer()
    if every.unit not in UNITS or not is_whole:
        raise UsageError(f"--save-every takes such as 1epochs, 500steps or 60s, not {text!r}")
    return every
