"""One run as one JSON line of at most 4 KB."""

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

from results.errors import RecordError
from results.measurement import Measurement

SCHEMA_VERSION = 1
MAX_LINE_BYTES = 4096  # with the newline: one write of this size is not torn by other writers
MAX_REASON_CHARS = 300
LARGEST_WHOLE = 2**53  # below it every whole number is a float
STATUSES = ("ok", "diverged", "out_of_memory", "crashed", "timeout", "interrupted", "unsupported")
SPEC_KEYS = ("model", "recipe", "budget", "plan", "seed", "precision", "evaluation_split")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What was run, where, how it ended and what was measured; plain JSON values throughout.

    Attributes:
        schema_version: Version of this layout; a newer one is refused.
        record_id: 16 hex digits, also the name of the samples file.
        config_id: Hash of the configuration without the seed.
        status: One of STATUSES.
        reason: Why the status is not ok, for a person.
        flags: Remarks that do not make the run a failure, such as at_chance.
        spec: model, recipe (with its name), budget, plan, requested_plan, seed, precision,
            evaluation_split.
        environment: What makes runs comparable: device, versions, data_hash and so on.
        conditions: Clocks, throttling, load: flagged, never a reason to refuse.
        provenance: commit, dirty, time_utc, harness_version.
        measurements: Quantity name to Measurement.
        missing: Quantity name to the reason why it is unknown.
        confusion: Counts, a row per true class, or None.
        curve: Points of [train_seconds, budget_fraction, images_seen, validation_accuracy].
        samples: File (relative to the run folder) and sha256 of the per-step samples, or None.
        tried: What the plan probe tried.
        extra: Keys this version does not know, kept and written back.
    """

    record_id: str
    config_id: str
    status: str
    spec: dict[str, Any]
    environment: dict[str, Any]
    schema_version: int = SCHEMA_VERSION
    reason: str | None = None
    flags: tuple[str, ...] = ()
    conditions: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    measurements: dict[str, Measurement] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    confusion: list[list[int]] | None = None
    curve: list[list[float]] | None = None
    samples: dict[str, str] | None = None
    tried: list[Any] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses a record that no table could show."""
        if self.status not in STATUSES:
            raise RecordError(f"unknown status {self.status!r}; choose from {', '.join(STATUSES)}")
        if not re.fullmatch("[0-9a-f]{16}", self.record_id):  # it names a file
            raise RecordError(f"record_id {self.record_id!r} is not 16 lower-case hex digits")
        _check_spec(self.spec)

    def value(self, quantity: str) -> float | None:
        """The mean of a measured quantity in its base unit, or None where it is unknown."""
        measurement = self.measurements.get(quantity)
        return None if measurement is None else measurement.mean()

    def to_json_line(self) -> bytes:
        """The record as one JSON line with its newline, at most 4096 bytes.

        Raises:
            RecordError: It is larger even with its reason cut to 300 characters.
        """
        line = _dump(self)
        if len(line) > MAX_LINE_BYTES and self.reason is not None:
            line = _dump(dataclasses.replace(self, reason=self.reason[:MAX_REASON_CHARS]))
        if len(line) > MAX_LINE_BYTES:
            raise RecordError(
                f"record {self.record_id} takes {len(line)} bytes of {MAX_LINE_BYTES}; "
                "move what is long into the samples"
            )
        return line

    @classmethod
    def from_json_line(cls, line: bytes) -> Self:
        """The record written in one JSON line.

        Raises:
            RecordError: It is no record, or one of a newer schema.
        """
        loaded = _load(line)
        known = {name: loaded.pop(name) for name in _FIELD_TYPES if name in loaded}
        _check_types(known)
        known["flags"] = tuple(known.get("flags", ()))
        known["measurements"] = _measurements_from_json(known.get("measurements", {}))
        return cls(**known, extra=loaded)


_OPTIONAL_LIST = (list, type(None))
_FIELD_TYPES: dict[str, type | tuple[type, ...]] = {  # in the order in which they are written
    "schema_version": int,
    "record_id": str,
    "config_id": str,
    "status": str,
    "reason": (str, type(None)),
    "flags": list,
    "spec": dict,
    "environment": dict,
    "conditions": dict,
    "provenance": dict,
    "measurements": dict,
    "missing": dict,
    "confusion": _OPTIONAL_LIST,
    "curve": _OPTIONAL_LIST,
    "samples": (dict, type(None)),
    "tried": list,
}
_REQUIRED = ("schema_version", "record_id", "config_id", "status", "spec", "environment")


def _check_spec(spec: dict[str, Any]) -> None:
    missing = [key for key in SPEC_KEYS if key not in spec]
    if missing:
        raise RecordError(f"the record's spec lacks {', '.join(missing)}")
    if not isinstance(spec["recipe"], dict) or "name" not in spec["recipe"]:
        raise RecordError("the record's recipe is no object with a name")


def _dump(record: RunRecord) -> bytes:
    known = {name: getattr(record, name) for name in _FIELD_TYPES}
    known["measurements"] = {
        name: {"unit": measurement.unit, "values": [*map(_short_number, measurement.values)]}
        for name, measurement in record.measurements.items()
    }
    if record.reason is not None:  # file names in messages may hold what UTF-8 cannot
        known["reason"] = record.reason.encode("utf-8", "backslashreplace").decode()
    extra = {name: value for name, value in record.extra.items() if name not in known}
    try:
        return orjson.dumps(known | extra, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError as error:
        raise RecordError(f"record {record.record_id} holds no plain JSON: {error}") from error


def _short_number(value: float) -> float:
    """A whole number without its `.0`, which reads back as the same float: a line is short."""
    return int(value) if abs(value) < LARGEST_WHOLE and float(value).is_integer() else value


def _load(line: bytes) -> dict[str, Any]:
    try:
        loaded = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RecordError(f"no JSON: {error}") from error
    lacking = [name for name in _REQUIRED if name not in loaded] if isinstance(loaded, dict) else []
    if not isinstance(loaded, dict) or lacking:
        raise RecordError(f"no run record: lacks {', '.join(lacking) or 'every key'}")
    version = loaded["schema_version"]
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise RecordError(
            f"written by a newer fmnist-bench (record schema {version}, this one reads up to "
            f"{SCHEMA_VERSION}); update fmnist-bench"
        )
    return loaded


def _check_types(known: dict[str, Any]) -> None:
    for name, value in known.items():
        if not isinstance(value, _FIELD_TYPES[name]) or isinstance(value, bool):
            raise RecordError(f"no run record: {name} is {type(value).__name__}")


def _measurements_from_json(loaded: dict[str, Any]) -> dict[str, Measurement]:
    measurements = {}
    for name, stored in loaded.items():
        try:
            values = tuple(float(value) for value in stored["values"])
            measurements[name] = Measurement(name, stored["unit"], values)
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"no run record: measurement {name!r} is malformed") from error
    return measurements
