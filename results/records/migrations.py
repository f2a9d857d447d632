"""Older records in the layout of today: a step a version, each a pure function.

A new layout is a new SCHEMA_VERSION in records.py, a step from the version before it here, and a
frozen file of lines, tests/golden/records-schema-N.jsonl: lines of every version are read forever.
"""

from collections.abc import Callable, Mapping
from typing import Any

Loaded = dict[str, Any]


def migrated(loaded: Loaded, newest: int) -> Loaded:
    """A line's JSON object in the newest layout; keys that no step knows stay as they are.

    Args:
        loaded: Of a version that there was; it is not changed.
        newest: The version to come to.
    """
    for version in range(loaded["schema_version"], newest):
        loaded = MIGRATIONS[version](loaded) | {"schema_version": version + 1}
    return loaded


def from_1_to_2(loaded: Loaded) -> Loaded:
    """Measurements as [unit, value, ...]: 18 bytes less each than {"unit": u, "values": [...]}."""
    stored = loaded.get("measurements")
    if not isinstance(stored, dict):
        return loaded  # refused where every version is
    try:  # in one go: a record has forty of them
        return loaded | {"measurements": {k: [m["unit"], *m["values"]] for k, m in stored.items()}}
    except (KeyError, TypeError):
        return loaded | {"measurements": {k: _as_list(m) for k, m in stored.items()}}


def _as_list(measurement: Any) -> Any:  # noqa: ANN401 - whatever the line says
    """A measurement of version 1 as a list; one that is malformed as nothing."""
    is_one = isinstance(measurement, dict) and isinstance(measurement.get("values"), list)
    return [measurement.get("unit"), *measurement["values"]] if is_one else None


MIGRATIONS: Mapping[int, Callable[[Loaded], Loaded]] = {1: from_1_to_2}
"""The step from each version to the next."""
