"""Settings: the fields of a recipe in which rows differ, such as its batch size.

Rows of one recipe are told apart by them, wherever the runs come from: one run over lists of values
(`--set batch_size=32,64`) or several runs. Two recipes of different names are two recipes.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from results.text import cut, json_text

Settings = dict[str, Any]
FIELDS: Settings = {  # of a recipe; a record leaves out what has the value given here
    "optimizer": None,
    "learning_rate": None,
    "momentum": 0.0,
    "nesterov": False,
    "weight_decay": 0.0,
    "schedule": None,
    "warmup_fraction": 0.0,
    "batch_size": None,
    "drop_last": False,
    "label_smoothing": 0.0,
    "augment": None,
    "normalize": None,
    "input_size": None,
    "precision": None,
    "validation_fraction": None,
    "epochs": None,
    "base_learning_rate": None,
    "base_momentum": None,
    "schedule_epochs": None,
    "schedule_factor": 0.1,
    "schedule_patience": 10,
    "stop_patience": None,
    "selection": "last",
    "split": "train",
    "order": "permutation",
    "weights": "random",
    "stem": "rgb_sum",
    "trainable": "all",
    "frozen_batchnorm": "update",
}
_KEYS = {"epochs": "recipe_epochs"}  # `epochs` of a row are those that it trained
_HASH_CHARS = 6


def key_of(field: str) -> str:
    """The key of a row, and the heading of a column, under which a field stands."""
    return _KEYS.get(field, field)


# every row has its precision
SETTING_KEYS = tuple(key_of(field) for field in FIELDS if field != "precision")


def settings_of(specs: Sequence[Mapping[str, Any]], also: str | None = None) -> list[Settings]:
    """The settings of each spec by the keys of rows: the same fields for all, in which some differ.

    Args:
        specs: What was run.
        also: A key that is wanted even where none differ in it.
    """
    values = {field: [_value(spec, field) for spec in specs] for field in FIELDS}
    files = {(spec["recipe"].get("weights"), spec.get("weights_hash")) for spec in specs}
    if len(files) > len({name for name, _ in files}):  # two files of one name
        values["weights"] = [_file(spec) for spec in specs]
    shown = [
        field for field in FIELDS if key_of(field) == also or _differs(field, specs, values[field])
    ]
    return [{key_of(field): values[field][k] for field in shown} for k in range(len(specs))]


def settings_in(row: Mapping[str, Any]) -> list[str]:
    """The keys of a row that are settings."""
    return [key for key in SETTING_KEYS if key in row]


def recipe_name(name: str, told: Sequence[str]) -> str:
    """The name of a recipe without the changes that stand beside it: `told`, and its precision."""
    base, *changes = name.split("+")
    fields = {"precision", *(field for field in FIELDS if key_of(field) in told)}
    rest = [
        change
        for change in changes
        # without = it stands for many changes
        if change.partition("=")[0] not in fields and ("=" in change or not told)
    ]
    return "+".join([base, *rest])


def setting_text(value: object) -> str:
    """A value as a person writes it: 64, 0.001, true, sgd, flip/shift2, none."""
    if isinstance(value, list):
        return cut("/".join(map(setting_text, value)) or "none")
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    if isinstance(value, float):
        text = f"{value:.6g}"
        return text if float(text) == value else repr(value)  # two values never look alike
    return cut(str(value) if isinstance(value, int | str) else json_text(value))


def is_number(value: object) -> bool:
    """Whether a value is a number, for an axis."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def setting_order(value: object) -> tuple[bool, bool, float, str]:
    """What values are sorted by: numbers as numbers, then words, None last."""
    number = float(value) if isinstance(value, int | float) else math.nan
    is_word = math.isnan(number)
    return value is None, is_word, 0.0 if is_word else number, setting_text(value)


def _value(spec: Mapping[str, Any], field: str) -> Any:  # noqa: ANN401 - any JSON value
    return spec["recipe"].get(field, FIELDS[field])


def _file(spec: Mapping[str, Any]) -> str:
    mark = str(spec.get("weights_hash") or "")[:_HASH_CHARS]
    return f"{_value(spec, 'weights')} {mark}".rstrip()


def _differs(field: str, specs: Sequence[Mapping[str, Any]], values: Sequence[object]) -> bool:
    """Whether runs of one recipe differ in a field; each model has a learning rate of its own."""
    found: dict[tuple[str, str], set[str]] = {}
    for spec, value in zip(specs, values, strict=True):
        base = str(spec["recipe"]["name"]).partition("+")[0]
        model = str(spec["model"]) if field == "learning_rate" else ""
        found.setdefault((base, model), set()).add(repr(value))
    return any(len(texts) > 1 for texts in found.values())
