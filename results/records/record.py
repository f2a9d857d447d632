"""One run as one JSON line of at most 4 KB."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self, TypeVar

import orjson

from results.errors import RecordError
from results.records import checks
from results.records.compact import CompactMeasurements, Pool
from results.records.measurement import Measurement
from results.records.migrations import migrated
from results.text import cut

SCHEMA_VERSION = 2  # of the layout that is written; migrations.py has the steps to it
MAX_LINE_BYTES = 4096  # with the newline: one write of this size is not torn by other writers
MAX_REASON_CHARS = 300
LARGEST_WHOLE = 2**53  # below it every whole number is a float
STATUSES = ("ok", "diverged", "out_of_memory", "crashed", "timeout", "interrupted", "unsupported")
_FINAL = {"ok", "diverged", "out_of_memory", "unsupported"}  # another try would end the same
_RECORD_ID = re.compile("[0-9a-f]{16}")  # it names a file


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What was run, where, how it ended and what was measured; plain JSON values throughout.

    Attributes:
        schema_version: Version of this layout: older lines are migrated, newer ones refused.
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
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    confusion: list[list[int]] | None = None
    curve: list[list[float]] | None = None
    samples: dict[str, str] | None = None
    tried: list[Any] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses a record that no table could show."""
        _check_identity(self.status, self.record_id)
        checks.check_keys(self.spec)

    @property
    def is_final(self) -> bool:
        """Whether a run need not be repeated: out of memory and divergence are results."""
        return self.status in _FINAL

    def value(self, quantity: str) -> float | None:
        """The mean of a measured quantity in its base unit, or None where it is unknown."""
        if isinstance(self.measurements, CompactMeasurements):
            return self.measurements.number(quantity)
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
    def from_json_line(cls, line: bytes, pool: Pool | None = None) -> Self:
        """The record written in one JSON line.

        Args:
            line: The line, with or without its newline.
            pool: Where records of one reading keep what they have in common.

        Raises:
            RecordError: It is no record, or one of a newer schema.
        """
        pool = pool or Pool()
        known, extra = _sorted_out(_load(line))
        known["flags"] = tuple(known.get("flags", ()))
        known["measurements"] = pool.measurements(known.get("measurements", {}))
        for name, check in _OFTEN_EQUAL.items():
            if name in known:
                known[name] = pool.value(name, known[name], check)
        checks.check_own(known)
        known["config_id"] = pool.text(known["config_id"])
        known["status"] = pool.text(known["status"])
        known["extra"] = extra
        return _filled(cls, known) if len(known) == len(_SETTERS) else cls(**known)


_OPTIONAL_LIST = (list, type(None))
_FIELD_TYPES: dict[str, tuple[type, ...]] = {  # in the order in which they are written
    "schema_version": (int,),
    "record_id": (str,),
    "config_id": (str,),
    "status": (str,),
    "reason": (str, type(None)),
    "flags": (list,),
    "spec": (dict,),
    "environment": (dict,),
    "conditions": (dict,),
    "provenance": (dict,),
    "measurements": (dict,),
    "missing": (dict,),
    "confusion": _OPTIONAL_LIST,
    "curve": _OPTIONAL_LIST,
    "samples": (dict, type(None)),
    "tried": (list,),
}
Record = TypeVar("Record", bound=RunRecord)
_SETTERS = {field.name: vars(RunRecord)[field.name].__set__ for field in fields(RunRecord)}
_OFTEN_EQUAL = {  # in the records of one store: checked once
    "spec": checks.check_spec,
    "environment": checks.check_environment,
    "missing": checks.check_missing,
}
_REQUIRED = dict.fromkeys(
    ("schema_version", "record_id", "config_id", "status", "spec", "environment")
)


def _check_identity(status: str, record_id: str) -> None:
    if status not in STATUSES:
        raise RecordError(f"unknown status {cut(status)!r}; choose from {', '.join(STATUSES)}")
    if not _RECORD_ID.fullmatch(record_id):
        raise RecordError(f"record_id {cut(record_id)!r} is not 16 lower-case hex digits")


def _filled(cls: type[Record], values: dict[str, Any]) -> Record:
    """A record of all fields, as by its constructor, which is slow for a frozen class."""
    _check_identity(values["status"], values["record_id"])  # the spec was, when first seen
    record = cls.__new__(cls)
    for name, value in values.items():
        _SETTERS[name](record, value)
    return record


def _dump(record: RunRecord) -> bytes:
    known = {name: getattr(record, name) for name in _FIELD_TYPES}
    known["measurements"] = {
        name: [measurement.unit, *map(_short_number, measurement.values)]
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
    if not isinstance(loaded, dict):
        raise RecordError("no run record: lacks every key")
    if not _REQUIRED.keys() <= loaded.keys():
        lacking = [name for name in _REQUIRED if name not in loaded]
        raise RecordError(f"no run record: lacks {', '.join(lacking)}")
    _check_version(loaded["schema_version"])
    return migrated(loaded, SCHEMA_VERSION)


def _check_version(version: Any) -> None:  # noqa: ANN401 - whatever the line says
    if type(version) is not int:  # true is none
        raise RecordError(f"no run record: schema_version is {type(version).__name__}, not int")
    if version > SCHEMA_VERSION:
        raise RecordError(
            f"written by a newer fmnist-bench (record schema {version}, this one reads up to "
            f"{SCHEMA_VERSION}); update fmnist-bench"
        )
    if version < 1:
        raise RecordError(f"no run record: schema_version {version} never was")


def _sorted_out(loaded: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that this version knows, of the right types, and all others."""
    known, extra = {}, {}
    for name, value in loaded.items():
        types = _FIELD_TYPES.get(name)
        if types is None:
            extra[name] = value
        elif type(value) in types:  # JSON knows no subclasses, and true is no int
            known[name] = value
        else:
            raise RecordError(f"no run record: {name} is {type(value).__name__}")
    return known, extra
