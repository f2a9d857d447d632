"""What runs measured, as one value a seed: the columns that summaries are made of."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from results.records.compact import CompactMeasurements, QuantityLayout
from results.records.record import RunRecord
from results.statistics import mean

Values = tuple[float, ...]


class _Row(NamedTuple):
    """What one seed measured, a number for each quantity of the layout."""

    layout: QuantityLayout
    numbers: Sequence[float]


def seed_values(records: Sequence[RunRecord]) -> Callable[[str], Values]:
    """What gives a quantity's value for each seed that has it, in base units.

    Runs of the same seed are averaged. The values are in the order in which the seeds first came.
    """
    by_seed: dict[int, list[RunRecord]] = {}
    for record in records:
        by_seed.setdefault(record.spec["seed"], []).append(record)
    rows = [row for runs in by_seed.values() if (row := _compact_row(runs))]
    if len(rows) < len(by_seed):
        columns = _side_by_side([_averaged(runs) for runs in by_seed.values()])
        return lambda quantity: columns.get(quantity, ())
    numbers = tuple(chain.from_iterable([row.numbers for row in rows]))
    getters = _getters(tuple([row.layout for row in rows]))
    return lambda quantity: getters[quantity](numbers) if quantity in getters else ()


def _compact_row(runs: Sequence[RunRecord]) -> _Row | None:
    """The means over the runs of a seed, whole columns at a time; None where their kinds differ."""
    first = runs[0].measurements
    if not isinstance(first, CompactMeasurements):
        return None
    if len(runs) == 1:
        return _Row(first.layout, first.numbers)
    rows = [
        run.measurements.numbers
        for run in runs
        if isinstance(run.measurements, CompactMeasurements)
        and run.measurements.layout is first.layout
    ]
    if len(rows) < len(runs):
        return None
    return _Row(first.layout, [mean(column) for column in zip(*rows, strict=True)])


@lru_cache(maxsize=16)  # the seeds of one sweep measure the same in every configuration
def _getters(layouts: tuple[QuantityLayout, ...]) -> dict[str, Callable[[Values], Values]]:
    """For each quantity what picks its values out of the rows of all seeds, laid end to end."""
    places: dict[str, list[int]] = {}
    start = 0
    for layout in layouts:
        for name, place in layout.places.items():
            places.setdefault(name, []).append(start + place)
        start += len(layout.places)
    return {name: _getter(found) for name, found in places.items()}


def _getter(places: Sequence[int]) -> Callable[[Values], Values]:
    first, *others = places
    return itemgetter(*places) if others else itemgetter(slice(first, first + 1))


def _averaged(runs: Sequence[RunRecord]) -> Mapping[str, float]:
    columns = _side_by_side([_of_one(run) for run in runs])
    return {name: mean(column) for name, column in columns.items()}


def _of_one(run: RunRecord) -> Mapping[str, float]:
    return {name: measurement.mean() for name, measurement in run.measurements.items()}


def _side_by_side(rows: Sequence[Mapping[str, float]]) -> dict[str, Values]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: tuple([row[name] for row in rows if name in row]) for name in names}
