"""Many records in little memory: equal parts kept once, measurements as bare numbers.

A store of 100,000 records would else be ten million Python objects, most of them copies.
"""

import gc
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from results.errors import RecordError
from results.measurement import Measurement


@dataclass(frozen=True, slots=True, eq=False)  # there is one of a kind, told apart by identity
class Layout:
    """Which quantities a record measured, once each, and in which units."""

    places: dict[str, int]
    units: tuple[str, ...]


class CompactMeasurements(Mapping[str, Measurement]):
    """Measurements of one value each, made when they are asked for.

    Attributes:
        layout: The names and units; records that measured the same share one.
        numbers: The values, in the order of the layout.
    """

    __slots__ = ("layout", "numbers")

    def __init__(self, layout: Layout, numbers: "array[float]") -> None:
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
        self._values: dict[bytes, Any] = {}
        self._texts: dict[str, str] = {}
        self._layouts: dict[tuple[tuple[str, ...], tuple[str, ...]], Layout] = {}

    def value(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """The first JSON value seen that is written as this one is."""
        # By its text: 1, 1.0 and True are equal in Python and must be written back as they were.
        return self._values.setdefault(orjson.dumps(value), value)

    def text(self, text: str) -> str:
        """The first equal text seen."""
        return self._texts.setdefault(text, text)

    def measurements(self, stored: dict[str, Any]) -> Mapping[str, Measurement]:
        """The measurements of a line; compact where each is one number.

        Raises:
            RecordError: One is malformed.
        """
        try:
            units = tuple([measurement["unit"] for measurement in stored.values()])
            values = [measurement["values"] for measurement in stored.values()]
            numbers = array("d", [value for (value,) in values])
            return CompactMeasurements(self._layout(tuple(stored), units), numbers)
        except (KeyError, TypeError, ValueError):  # several values, or malformed: told apart there
            return _one_by_one(stored)

    def _layout(self, names: tuple[str, ...], units: tuple[str, ...]) -> Layout:
        layout = self._layouts.get((names, units))
        if layout is None:
            if not all(isinstance(unit, str) for unit in units):
                raise TypeError("units 1 and True would be taken for each other")
            layout = Layout({name: place for place, name in enumerate(names)}, units)
            self._layouts[names, units] = layout
        return layout


def _one_by_one(stored: dict[str, Any]) -> dict[str, Measurement]:
    measurements = {}
    for name, measurement in stored.items():
        try:
            values = tuple(float(value) for value in measurement["values"])
            measurements[name] = Measurement(name, measurement["unit"], values)
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"no run record: measurement {name!r} is malformed") from error
    return measurements


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
