"""What a line must be to be read as a record: a look at each field.

Another program may have written any JSON into it. Only what is read off a record is checked; keys
that are unknown here are kept as they are.
"""

import math
import re
from array import array
from collections.abc import Mapping
from itertools import chain
from typing import Any

from results.errors import RecordError
from results.records.measurement import LARGEST
from results.text import cut

Types = Mapping[str, tuple[type, ...]]
SPEC_KEYS = ("model", "recipe", "budget", "plan", "seed", "precision", "evaluation_split")
BUDGET = re.compile(r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)[A-Za-z]+", re.ASCII)
NAMES_OF_TYPES = {str: "text", int: "a whole number", float: "a number", dict: "an object"}

_NONE = type(None)
_TEXT, _TEXT_OR_NONE, _WHOLE = (str,), (str, _NONE), (int,)
_NUMBER_OR_NONE = (float, int, _NONE)
_SPEC: Types = {
    **dict.fromkeys(("model", "budget", "precision", "evaluation_split"), _TEXT),
    **dict.fromkeys(("plan", "requested_plan", "model_hash", "weights_hash"), _TEXT_OR_NONE),
    "seed": _WHOLE,
    "target": _NUMBER_OR_NONE,
    "rung_adds": _TEXT_OR_NONE,
}
_RECIPE: Types = {
    "name": _TEXT,
    **dict.fromkeys(("batch_size", "validation_fraction"), _NUMBER_OR_NONE),
    **dict.fromkeys(("learning_rate_source", "protocol", "split"), _TEXT_OR_NONE),
}
_RUNG: Types = {"rung": _TEXT, "rung_index": _WHOLE}
_ENVIRONMENT: Types = {
    **dict.fromkeys(("device", "device_kind", "torch", "cuda", "python"), _TEXT_OR_NONE),
    "data_hash": _TEXT_OR_NONE,
    "num_cores": (int, _NONE),
    "power_cap_w": _NUMBER_OR_NONE,
}
_CONDITIONS: Types = {"limit": (dict, _NONE), "energy_method": _TEXT_OR_NONE, "saved": _TEXT}
_LIMIT: Types = {
    "binds": _TEXT,
    "latency_s": (float, int),
    **dict.fromkeys(("flops_per_s", "bytes_per_s"), _NUMBER_OR_NONE),
}
_PROVENANCE: Types = dict.fromkeys(
    ("commit", "time_utc", "harness_version", "ladder"), _TEXT_OR_NONE
)


def check_spec(spec: Mapping[str, Any]) -> None:
    """Refuses a specification that no table could name.

    Raises:
        RecordError: With the field.
    """
    check_keys(spec)
    _check_types("spec", spec, _SPEC)
    _check_types("spec.recipe", spec["recipe"], _RECIPE)
    if spec.get("requested_plan") == "ladder":
        _check_all_there("spec", spec, _RUNG)
        _check_types("spec", spec, _RUNG)
    target, budget = spec.get("target"), spec["budget"]
    if target is not None and not 0 <= target <= 1:
        raise _refusal("spec.target", target, "a fraction")
    match = BUDGET.fullmatch(budget)
    if match is None or not 0 < float(match[1]) < math.inf:
        raise _refusal("spec.budget", budget, "a budget such as 3epochs or 60s")


def check_keys(spec: Mapping[str, Any]) -> None:
    """Refuses a specification without what every one has.

    Raises:
        RecordError: With the keys.
    """
    missing = [key for key in SPEC_KEYS if key not in spec]
    if missing:
        raise RecordError(f"the record's spec lacks {', '.join(missing)}")
    if not isinstance(spec["recipe"], dict) or "name" not in spec["recipe"]:
        raise RecordError("the record's recipe is no object with a name")


def check_environment(environment: Mapping[str, Any]) -> None:
    """Refuses an environment that cannot be told from others, or read.

    Raises:
        RecordError: With the field.
    """
    _check_types("environment", environment, _ENVIRONMENT)


def check_missing(missing: Mapping[str, Any]) -> None:
    """Refuses reasons that are no texts.

    Raises:
        RecordError: With the field.
    """
    _check_types("missing", missing, dict.fromkeys(missing, _TEXT))


def check_own(record: Mapping[str, Any]) -> None:
    """Refuses what a record has for itself and is malformed: a look of microseconds at each part.

    Args:
        record: The fields of a line, those of the record's own types.

    Raises:
        RecordError: With the field.
    """
    if set(map(type, record["flags"])) - {str}:
        raise _refusal("flags", record["flags"], "texts")
    if record.get("curve") is not None and not _is_curve(record["curve"]):
        raise _refusal("curve", record["curve"], "points of four numbers, the last a fraction")
    if record.get("confusion") is not None and not _is_confusion(record["confusion"]):
        raise _refusal("confusion", record["confusion"], "a square of counts")
    _check_samples(record.get("samples"), record["record_id"])
    _check_types("provenance", record.get("provenance", {}), _PROVENANCE)
    conditions = record.get("conditions", {})
    _check_types("conditions", conditions, _CONDITIONS)
    if conditions.get("limit"):
        _check_limit(conditions["limit"])


def _is_curve(curve: list[Any]) -> bool:
    """Whether all points are (seconds, share of the budget, images, accuracy)."""
    if not curve:
        return True
    try:
        flat = [*chain.from_iterable(curve)]
        # what is no number cannot be compared with one
        is_size = min(flat) >= 0 and max(flat) < LARGEST and max(flat[3::4]) <= 1
        return is_size and set(map(len, curve)) == {4}
    except (TypeError, ValueError):
        return False


def _is_confusion(confusion: list[Any]) -> bool:
    """Whether it has a row and a column for each class, and counts in them."""
    try:
        array("Q", [*chain.from_iterable(confusion)])  # takes neither signs nor fractions
        return set(map(len, confusion)) <= {len(confusion)}
    except (TypeError, ValueError, OverflowError):
        return False


def _check_samples(samples: Mapping[str, Any] | None, record_id: str) -> None:
    """The file lies where the record's id says, whatever else the record says of it."""
    if samples is None:
        return
    if samples.get("file") != (name := f"samples/{record_id}.npz"):
        raise _refusal("samples.file", samples.get("file"), name)
    if not isinstance(samples.get("sha256"), str):
        raise _refusal("samples.sha256", samples.get("sha256"), "text")


def _check_limit(limit: Mapping[str, Any]) -> None:
    _check_all_there("conditions.limit", limit, _LIMIT)
    _check_types("conditions.limit", limit, _LIMIT)
    for name in ("flops_per_s", "bytes_per_s", "latency_s"):
        value = limit[name]
        if value is not None and value != 0 and not 1 / LARGEST < value < LARGEST:
            raise _refusal(f"conditions.limit.{name}", value, "a rate or a time that can be")


def _check_all_there(place: str, values: Mapping[str, Any], types: Types) -> None:
    lacking = [name for name in types if name not in values]
    if lacking:
        raise RecordError(f"no run record: {place} lacks {', '.join(lacking)}")


def _check_types(place: str, values: Mapping[str, Any], types: Types) -> None:
    for name, allowed in types.items():
        if name in values and type(values[name]) not in allowed:  # true is no number
            raise _refusal(f"{place}.{name}", values[name], NAMES_OF_TYPES[allowed[0]])


def _refusal(field: str, value: Any, wanted: str) -> RecordError:  # noqa: ANN401 - any JSON value
    return RecordError(f"no run record: {cut(field)} is {cut(repr(value))}, not {wanted}")
