"""Many records in little memory: equal parts kept once, measurements as bare numbers.

A store of 100,000 records would else be ten million Python objects, most of them copies.
"""

import gc
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from results.errors import RecordError
from results.records.measurement import ACCURACIES, LARGEST_COUNT, SMALLEST, Measurement
from results.text import cut


@dataclass(frozen=True, slots=True, eq=False)  # there is one of a kind, told apart by identity
class QuantityLayout:
    """Which quantities a record measured, once each, in which units, and which are accuracies."""

    places: dict[str, int]
    units: tuple[str, ...]
    accuracies: tuple[int, ...]

    def fits(self, values: Sequence[float]) -> bool:
        """Whether all values can be: none negative, of a size that none has, or above one."""
        sizes = [*filter(None, values)]
        if sizes and not (min(sizes) > SMALLEST and max(sizes) <= LARGEST_COUNT):
            return False
        accuracies = [values[place] for place in self.accuracies]
        return not accuracies or max(accuracies) <= 1


class CompactMeasurements(Mapping[str, Measurement]):
    """Measurements of one value each, made when they are asked for.

    Attributes:
        layout: The names and units; records that measured the same share one.
        numbers: The values, in the order of the layout.
    """

    __slots__ = ("layout", "numbers")

    def __init__(self, layout: QuantityLayout, numbers: "array[float]") -> None:
        self.layout = layout
        self.numbers = numbers

    def __getitem__(self, name: str) -> Measurement:
        """The measurement of a quantity."""
        place = self.layout.places[name]
        return Measurement(name, self.layout.units[place], (self.numbers[place],))

    def __contains__(self, name: object) -> bool:
        return name in self.layout.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.layout.places)

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        return repr(dict(self))

    def number(self, name: str) -> float | None:
        """The value of a quantity without a measurement around it; None where it is unknown."""
        place = self.layout.places.get(name)
        return None if place is None else self.numbers[place]


class Pool:
    """Keeps equal parts of the records of one reading once; nobody may change what is shared."""

    def __init__(self) -> None:
        """Begins empty; lives as long as the reading."""
        self._values: dict[str, dict[bytes, Any]] = {}
        self._texts: dict[str, str] = {}
        self._layouts: dict[tuple[tuple[str, ...], tuple[str, ...]], QuantityLayout] = {}

    def value(self, name: str, value: Any, check: Callable[[Any], None]) -> Any:  # noqa: ANN401 - any JSON value
        """The first JSON value of a field that is written as this one is; checked when first seen.

        Args:
            name: Of the field.
            value: As it was read.
            check: Raises RecordError where the value is malformed.
        """
        # By its text: 1, 1.0 and True are equal in Python and must be written back as they were.
        text = orjson.dumps(value)
        values = self._values.setdefault(name, {})
        if text not in values:
            check(value)
            values[text] = value
        return values[text]

    def text(self, text: str) -> str:
        """The first equal text seen."""
        return self._texts.setdefault(text, text)

    def measurements(self, stored: dict[str, Any]) -> Mapping[str, Measurement]:
        """The measurements of a line, each a unit and its values; compact where each is one number.

        Raises:
            RecordError: One is malformed, or has a value that cannot be.
        """
        try:
            units, values = zip(*stored.values(), strict=True)
            numbers = array("d", values)
            layout = self._layout(tuple(stored), units)
        except (TypeError, ValueError, OverflowError):  # several values, or malformed
            return _one_by_one(stored)
        if not layout.fits(values):
            _one_by_one(stored)  # refuses what cannot be; an overrun may be negative
        return CompactMeasurements(layout, numbers)

    def _layout(self, names: tuple[str, ...], units: tuple[str, ...]) -> QuantityLayout:
        layout = self._layouts.get((names, units))
        if layout is None:
            if not all(isinstance(unit, str) for unit in units):
                raise TypeError("units 1 and True would be taken for each other")
            places = {name: place for place, name in enumerate(names)}
            accuracies = tuple(place for name, place in places.items() if name in ACCURACIES)
            layout = QuantityLayout(places, units, accuracies)
            self._layouts[names, units] = layout
        return layout


def _one_by_one(stored: dict[str, Any]) -> dict[str, Measurement]:
    measurements = {}
    for name, parts in stored.items():
        if not isinstance(parts, list) or not _is_measurement(parts):
            raise RecordError(
                f"no run record: measurement {cut(name)!r} is malformed, must be a unit and numbers"
            )
        unit, *values = parts
        measurements[name] = Measurement(name, unit, tuple(map(float, values)))
    return measurements


def _is_measurement(parts: list[Any]) -> bool:
    return (
        len(parts) > 1
        and isinstance(parts[0], str)
        and all(isinstance(value, (int, float)) for value in parts[1:])
    )


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keeps Python's collector of cycles from walking millions of new objects that hold none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
