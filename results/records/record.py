"""One run as one JSON line of at most 4 KB."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from results.errors import RecordError
from results.records.layout import FIELDS, SCHEMA_VERSION, Spec, check, migrated, read_measurements
from results.records.measurement import Measurement
from results.text import cut

MAX_LINE_BYTES = 4096  # with the newline: one write of this size is not torn by other writers
MAX_REASON_CHARS = 300
LARGEST_WHOLE = 2**53  # below it every whole number is a float
STATUSES = ("ok", "diverged", "out_of_memory", "crashed", "timeout", "interrupted", "unsupported")
_FINAL = {"ok", "diverged", "out_of_memory", "unsupported"}  # another try would end the same
_RECORD_ID = re.compile("[0-9a-f]{16}")  # it names a file


class NoJson(RecordError):  # noqa: N818 - what it is
    """A line that is no JSON, as one that was cut short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What was run, where, how it ended and what was measured; plain JSON values throughout.

    Attributes:
        record_id: 16 hex digits, also the name of the samples file.
        config_id: Hash of the configuration without the seed.
        status: One of STATUSES.
        flags: Remarks that do not make the run a failure, such as at_chance.
        spec: What `layout.Spec` lists, and more.
        environment: What makes runs comparable: device, versions, data_hash and so on.
        conditions: Clocks, throttling, load: flagged, never a reason to refuse.
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
        """Refuse a record that no table could show."""
        if self.status not in STATUSES:
            choices = ", ".join(STATUSES)
            raise RecordError(f"unknown status {cut(self.status)!r}; choose from {choices}")
        if not _RECORD_ID.fullmatch(self.record_id):
            raise RecordError(f"record_id {cut(self.record_id)!r} is not 16 lower-case hex digits")
        check(self.spec, Spec, "spec")

    @property
    def is_final(self) -> bool:
        """Whether a run need not be repeated: out of memory and divergence are results."""
        return self.status in _FINAL

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
        """The record written in one JSON line, with or without its newline.

        Raises:
            RecordError: It is no record, or one of a newer schema.
        """
        try:
            loaded = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise NoJson(f"no JSON: {error}") from error
        if not isinstance(loaded, dict):
            raise RecordError("no run record: it is no JSON object")
        loaded = migrated(loaded)
        check(loaded)
        known = {name: loaded.pop(name) for name in FIELDS if name in loaded}
        known["flags"] = tuple(known.get("flags", ()))
        known["measurements"] = read_measurements(known.get("measurements", {}))
        return cls(**known, extra=loaded)


def _dump(record: RunRecord) -> bytes:
    known = {name: getattr(record, name) for name in FIELDS}
    known["measurements"] = {
        name: [measurement.unit, *map(_short_number, measurement.values)]
        for name, measurement in record.measurements.items()
    }
    if record.reason is not None:  # file names in messages may hold what UTF-8 cannot
        known["reason"] = record.reason.encode("utf-8", "backslashreplace").decode()
    extra = {name: value for name, value in record.extra.items() if name not in known}
    try:
        return msgspec.json.encode(known | extra) + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(f"record {record.record_id} holds no plain JSON: {error}") from error


def _short_number(value: float) -> float:
    """A whole number without its `.0`, which reads back as the same float: a line is short."""
    return int(value) if abs(value) < LARGEST_WHOLE and float(value).is_integer() else value
