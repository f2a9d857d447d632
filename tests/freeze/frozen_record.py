"""The part of a record that no move of code may change, and what is different in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from results import RunStore
from tests.command_line import FLAGS_OF_THE_MACHINE, is_alike, read_lines

OF_THE_MACHINE = ("record_id", "environment", "conditions", "provenance")  # and of the day
ANY = "any"  # stands for what may be of any value
OF_A_SENSOR = ("energy", "idle_power", "energy_above_idle")  # some CPUs have one
WHOLE_SAMPLES = ("loss", "learning_rate", "class_counts")
LOSSES = ("samples.loss.", "measurements.train_loss.", "measurements.test_loss.")
ACCURACIES = ("curve.", "measurements.train_accuracy.", "measurements.test_accuracy.")
CONFUSION = "confusion."


@dataclass(frozen=True)
class Tolerance:
    """How far numbers may be off."""

    loss: float  # relative
    accuracy: float  # absolute
    images: int  # of the test images, that may be classified otherwise


def frozen_records(folder: Path) -> list[dict[str, Any]]:
    """The frozen part of each record in a run folder."""
    store = RunStore(folder)
    return [
        frozen(written, store.load_samples(record))
        for written, record in zip(read_lines(folder), store.read(), strict=True)
    ]


def frozen(record: Mapping[str, Any], samples: Mapping[str, Any]) -> dict[str, Any]:
    """A record as it was written, with its samples; of what a machine decides, names alone."""
    measured = {
        name: [unit, *(values if is_alike(name, unit) else map(_names, values))]
        for name, (unit, *values) in record["measurements"].items()
        if name not in OF_A_SENSOR
    }
    missing = {k: why for k, why in record["missing"].items() if k not in OF_A_SENSOR}
    return {
        **record,
        **{name: _names(record[name]) for name in OF_THE_MACHINE},
        "flags": [flag for flag in record["flags"] if flag not in FLAGS_OF_THE_MACHINE],
        "measurements": measured,
        "missing": missing,
        "curve": [[ANY, *point] for _second, *point in record["curve"]],
        "samples": {name: _sample(name, array) for name, array in samples.items()},
    }


def _names(value: Any) -> Any:  # noqa: ANN401 - whatever a record holds
    return {key: _names(inner) for key, inner in value.items()} if isinstance(value, dict) else ANY


def _sample(name: str, array: np.ndarray[Any, Any]) -> list[float] | str:
    if name in WHOLE_SAMPLES:
        return [float(f"{number:.8g}") for number in array.tolist()]
    return f"{array.ndim} axes of {array.dtype}"


def differences(
    expected: Mapping[str, Any], found: Mapping[str, Any], tolerance: Tolerance
) -> list[str]:
    """A line for each field that is gone, new, or of another value than expected."""
    old, new = leaves(expected), leaves(found)
    lines = [f"{path} is gone" for path in old if path not in new]
    lines += [f"{path} is new: {new[path]!r}" for path in new if path not in old]
    shared = [path for path in old if path in new and not path.startswith(CONFUSION)]
    lines += [
        f"{path}: expected {old[path]!r}, found {new[path]!r}"
        for path in shared
        if not _is_alike(path, old[path], new[path], tolerance)
    ]
    return lines + _moved(old, new, tolerance)


def leaves(value: Any, path: str = "") -> dict[str, Any]:  # noqa: ANN401 - JSON values
    """Values that hold no others, by their dotted path."""
    if not isinstance(value, dict | list) or not value:
        return {path.removesuffix("."): value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {
        inner: leaf for key, held in items for inner, leaf in leaves(held, f"{path}{key}.").items()
    }


def _is_alike(path: str, expected: object, found: object, tolerance: Tolerance) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        if path.startswith(LOSSES):
            return abs(found - expected) <= tolerance.loss * abs(expected)
        if path.startswith(ACCURACIES):
            return abs(found - expected) <= tolerance.accuracy
    return type(expected) is type(found) and expected == found


def _moved(old: Mapping[str, Any], new: Mapping[str, Any], tolerance: Tolerance) -> list[str]:
    cells = [path for path in old if path in new and path.startswith(CONFUSION)]
    moved = sum(abs(old[cell] - new[cell]) for cell in cells) / 2
    return [f"confusion: {moved:g} images moved"] if moved > tolerance.images else []
