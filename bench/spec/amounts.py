"""Amounts as people write them: `5min`, `1.5GiB`, `500MB`, `7.8k`, `90%`."""

import re
from collections.abc import Callable, Mapping

from bench.errors import UsageError

SECONDS = {
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    "ms": 1e-3,
}
BYTES = {"": 1.0, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12}
for _power, _letter in enumerate("kmgt", start=1):
    BYTES |= dict.fromkeys((f"{_letter}i", f"{_letter}ib"), 1024.0**_power)
GIGABYTES = {word: size / 1e9 for word, size in BYTES.items()} | {"": 1.0}
COUNTS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}
JOULES = {**dict.fromkeys(("", "j", "joule", "joules"), 1.0), "kj": 1e3, "wh": 3600.0, "kwh": 3.6e6}
FRACTIONS = {"": 1.0, "%": 0.01}

_AMOUNT = re.compile(
    r"\s*([+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|nan|inf)\s*([A-Za-z]*|%)\s*",
    re.ASCII,
)


def split_amount(text: str) -> tuple[float, str] | None:
    """Split a number and the word or `%` behind it, which may be empty; None where it is none."""
    match = _AMOUNT.fullmatch(text)
    try:
        return (float(match[1]), match[2]) if match else None
    except ValueError:  # 1__000
        return None


def amount_in(text: str, units: Mapping[str, float]) -> float | None:
    """Read a number with one of some units, in upper or lower case; None where it is none.

    Args:
        text: such as `5min`.
        units: what one of each unit is, names in lower case; `""` for a number alone.
    """
    number, unit = split_amount(text) or (0.0, "?")
    factor = units.get(unit.lower())
    return None if factor is None else scaled(number, factor)


def scaled(number: float, factor: float) -> float:
    """Multiply what a user wrote, to 12 digits: 57 * 0.01 is a hair above 0.57."""
    return number if factor == 1 else float(f"{number * factor:.12g}")


def reader(
    option: str, units: Mapping[str, float], examples: str
) -> Callable[[str | float], float]:
    """Make the function by which Typer reads an option: a number with one of some units.

    Args:
        option: its name, for the line of an error.
        units: as of `amount_in`.
        examples: what the line of an error tells to write.
    """

    def amount(text: str | float) -> float:
        """Read what the user wrote, or a default. Raises UsageError where that is no amount."""
        number = amount_in(str(text), units)
        if number is None:
            raise UsageError(f"cannot read {option} {text!r}; write for example {examples}")
        return number

    return amount
