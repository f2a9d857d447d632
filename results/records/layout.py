"""The layout of a line of records, and how lines of older layouts come to it.

Another program may have written any JSON into a line: msgspec holds it against these types. They
list what is read off a record; other keys are kept as they are. A new layout is a new
SCHEMA_VERSION, a step in MIGRATIONS from the version before it, and a frozen file of lines,
tests/golden/records-schema-N.jsonl: lines of every version are read forever.
"""

import math
import re
from array import array
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from results.errors import RecordError
from results.records.measurement import LARGEST, Measurement
from results.text import cut

SCHEMA_VERSION = 2  # of the layout that is written
_BUDGET = re.compile(r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)[A-Za-z]+", re.ASCII)
_ERROR = re.compile(r"(.*?)(?: - at `\$\.?([^`]*)`)?", re.DOTALL)  # as msgspec words it

Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Size = Annotated[float, Meta(ge=0, lt=LARGEST)]
Fraction = Annotated[float, Meta(ge=0, le=1)]


class Recipe(Struct):
    """How a run trained; its other settings are for people."""

    name: str
    batch_size: float | None = None
    validation_fraction: float | None = None
    learning_rate_source: str | None = None
    protocol: str | None = None
    split: str | None = None


class Spec(Struct):
    """What was run."""

    model: str
    recipe: Recipe
    budget: str
    plan: str | None
    seed: int
    precision: str
    evaluation_split: str
    requested_plan: str | None = None
    model_hash: str | None = None
    weights_hash: str | None = None
    target: Fraction | None = None
    rung: str | None = None
    rung_index: Whole | None = None
    rung_adds: str | None = None

    def __post_init__(self) -> None:
        """Refuse a seed that torch has not, a budget of nothing, and a rung without its place."""
        if not -(2**63) <= self.seed < 2**64:  # wider than msgspec's own bounds can be
            raise ValueError(f"seed is {cut(str(self.seed))}, not a whole number of 64 bits")
        match = _BUDGET.fullmatch(self.budget)
        if match is None or not 0 < float(match[1]) < math.inf:
            raise ValueError(f"budget is {cut(self.budget)!r}, not one such as 3epochs or 60s")
        if self.requested_plan == "ladder" and (self.rung is None or self.rung_index is None):
            raise ValueError(
                "rung or spec.rung_index is missing, and every rung of a ladder has both"
            )


class Environment(Struct):
    """What makes runs comparable."""

    device: str | None = None
    device_kind: str | None = None
    torch: str | None = None
    cuda: str | None = None
    python: str | None = None
    data_hash: str | None = None
    num_cores: Whole | None = None
    num_threads: Whole | None = None
    power_cap_w: float | None = None


class Limit(Struct):
    """What bounds the speed of a step."""

    binds: str
    latency_s: Size
    flops_per_s: Size | None
    bytes_per_s: Size | None

    def __post_init__(self) -> None:
        """Refuse a rate or a time so small that its inverse is no number."""
        for name in ("latency_s", "flops_per_s", "bytes_per_s"):
            if 0 < (getattr(self, name) or 0) <= 1 / LARGEST:
                raise ValueError(f"{name} is {getattr(self, name)}, too small to be true")


class Conditions(Struct):
    """What was seen around a run."""

    limit: Limit | None = None
    energy_method: str | None = None
    saved: str = ""
    touched: list[str] = []


class Provenance(Struct):
    """Where a record comes from."""

    commit: str | None = None
    time_utc: str | None = None
    harness_version: str | None = None
    ladder: str | None = None


class Samples(Struct):
    """Where the per-step samples lie."""

    file: str
    sha256: str


class Line(Struct, kw_only=True):
    """A line in the newest layout, its keys in the order in which they are written."""

    schema_version: int
    record_id: str
    config_id: str
    status: str
    reason: str | None = None
    flags: list[str] = []
    spec: dict[str, Any]  # which RunRecord itself checks
    environment: Environment
    conditions: Conditions = msgspec.field(default_factory=Conditions)
    provenance: Provenance = msgspec.field(default_factory=Provenance)
    measurements: dict[str, Any] = {}
    missing: dict[str, Any] = {}
    confusion: list[list[Count]] | None = None
    curve: list[tuple[Size, Size, Size, Fraction]] | None = None
    samples: Samples | None = None
    tried: list[Any] = []

    def __post_init__(self) -> None:
        """Refuse what no type can tell."""
        for name, reason in self.missing.items():
            if not isinstance(reason, str):
                raise ValueError(f"missing.{cut(name)} is {cut(repr(reason))}, not text")
        if self.confusion and {len(self.confusion)} != set(map(len, self.confusion)):
            raise ValueError("confusion is no square of counts")
        # the file lies where the record's id says, whatever else the record says of it
        if self.samples and self.samples.file != (file := f"samples/{self.record_id}.npz"):
            raise ValueError(f"samples.file is {cut(self.samples.file)!r}, not {file}")


FIELDS = Line.__struct_fields__


def check(values: Mapping[str, Any], layout: type[Struct] = Line, place: str = "") -> None:
    """Refuse a JSON object that a layout does not allow; `place` is where in the record it stands.

    Raises:
        RecordError: With the first field that is malformed.
    """
    try:
        msgspec.convert(values, layout)
    except msgspec.ValidationError as error:
        what, field = _ERROR.fullmatch(str(error)).groups()  # type: ignore[union-attr]
        if error.__cause__:  # of a __post_init__ here, which begins with a field
            where, what = [place, field, str(error.__cause__)], ""
        else:
            where, what = [place, field], f": {what[0].lower()}{what[1:]}"
        raise RecordError(f"no run record: {'.'.join(filter(None, where))}{what}") from error


def read_measurements(stored: Mapping[str, Any]) -> dict[str, Measurement]:
    """Read the measurements of a line, each a list of its unit and its values.

    Raises:
        RecordError: One is malformed, or has a value that cannot be.
    """
    return {name: _measurement(name, parts) for name, parts in stored.items()}


def _measurement(name: str, parts: Any) -> Measurement:  # noqa: ANN401 - whatever the line says
    try:
        unit, *values = parts
        if isinstance(unit, str) and values:
            return Measurement(name, unit, tuple(array("d", values)))  # which takes no texts
    except (TypeError, ValueError, OverflowError):
        pass
    raise RecordError(
        f"no run record: measurement {cut(name)!r} is malformed, must be a unit and numbers"
    )


def migrated(loaded: dict[str, Any]) -> dict[str, Any]:
    """A line's JSON object in the newest layout; keys that no step knows stay as they are.

    Raises:
        RecordError: It is of a newer version, or of one that never was.
    """
    if "schema_version" not in loaded:
        raise RecordError("no run record: lacks schema_version")
    version = loaded["schema_version"]
    if type(version) is not int:  # true is none
        raise RecordError(
            f"no run record: schema_version is {cut(repr(version))}, not a whole number"
        )
    if version > SCHEMA_VERSION:
        raise RecordError(
            f"written by a newer fmnist-bench (record schema {cut(str(version))}, this one reads "
            f"up to {SCHEMA_VERSION}); update fmnist-bench"
        )
    if version < 1:
        raise RecordError(f"no run record: schema_version {cut(str(version))} never was")
    for step in range(version, SCHEMA_VERSION):
        loaded = MIGRATIONS[step](loaded) | {"schema_version": step + 1}
    return loaded


def from_1_to_2(loaded: dict[str, Any]) -> dict[str, Any]:
    """Measurements as [unit, value, ...]: 18 bytes less each than {"unit": u, "values": [...]}."""
    stored = loaded.get("measurements")
    if not isinstance(stored, dict):
        return loaded  # refused where every version is
    return loaded | {"measurements": {name: _as_list(one) for name, one in stored.items()}}


def _as_list(measurement: Any) -> list[Any]:  # noqa: ANN401 - whatever the line says
    try:
        return [measurement["unit"], *measurement["values"]]
    except (KeyError, TypeError):
        return []  # refused as malformed


MIGRATIONS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: from_1_to_2}
"""The step from each version to the next."""
