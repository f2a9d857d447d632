"""What a record must be to be compared: another program may have written any JSON into one."""

from collections.abc import Iterable, Mapping
from typing import Any

from results.errors import RecordError
from results.records import RunRecord

_TEXT, _TEXT_OR_NONE = (str,), (str, type(None))
_NUMBER_OR_NONE = (int, float, type(None))
_TYPES: Mapping[str, tuple[type, ...]] = {
    "model": _TEXT,
    "budget": _TEXT,
    "precision": _TEXT,
    "evaluation_split": _TEXT,
    "plan": _TEXT_OR_NONE,
    "requested_plan": _TEXT_OR_NONE,
    "weights_hash": _TEXT_OR_NONE,
    "model_hash": _TEXT_OR_NONE,
    "target": _NUMBER_OR_NONE,
}


def check_types(side: str, records: Iterable[RunRecord]) -> None:
    """Refuses records whose names or settings are no such things.

    Raises:
        RecordError: in one line, which record, and what of it.
    """
    fine: set[int] = set()  # records of one store share equal specs
    for record in records:
        odd = None if id(record.spec) in fine else _odd_field(record.spec)
        fine.add(id(record.spec))
        odd = odd or ("flags" if not all(isinstance(flag, str) for flag in record.flags) else None)
        if odd:
            raise RecordError(
                f"not comparable: {odd} of record {record.record_id} in the {side} is of a type "
                "that fmnist-bench never writes; remove that line, or run it again"
            )


def _odd_field(spec: Mapping[str, Any]) -> str | None:
    recipe = spec["recipe"]
    is_fine = {
        name: type(spec.get(name)) in types for name, types in _TYPES.items() if name in spec
    }
    is_fine["seed"] = type(spec["seed"]) is int
    is_fine["recipe"] = isinstance(recipe["name"], str)
    is_fine["batch_size"] = type(recipe.get("batch_size")) in _NUMBER_OR_NONE
    return next((name for name, fine in is_fine.items() if not fine), None)
