"""Make the record of a run, shorten it to 4 KB, check its length."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any

import msgspec

from bench.machine.provenance import describe_provenance
from bench.spec.run_spec import RunSpec

if TYPE_CHECKING:
    from bench.measure.findings import Findings
    from bench.train.training import Progress
    from results import RunRecord

SAMPLES_PLACE = {"file": f"samples/{'0' * 16}.npz", "sha256": "0" * 64}  # as the store adds it
FEW_POINTS = 5  # of a curve that would not fit whole
CURVE_UNITS = ("s", "fraction", "images", "fraction")  # of a point
Watcher = Callable[[int, str, "Progress | None"], None]
"""Told the seed, the phase, and while training the progress; must be cheap."""


@dataclass(frozen=True)
class RunResult:
    """A record and the raw samples that belong beside it."""

    record: "RunRecord"
    samples: dict[str, Any] = field(default_factory=dict)  # arrays by name
    is_device_lost: bool = False  # an error has left this process without its GPU


def make_record(
    spec: RunSpec,
    status: str,
    reason: str | None,
    environment: dict[str, Any],
    conditions: dict[str, Any] | None = None,
    findings: "Findings | None" = None,
    tried: list[Any] | None = None,
) -> "RunRecord":
    """Make the record of a run however it ended; one that never began has no findings."""
    from bench.measure.findings import Findings
    from results import RunRecord

    found = findings or Findings()
    record = RunRecord(
        record_id=uuid.uuid4().hex[:16],
        config_id=spec.config_id,
        status=status,
        reason=reason,
        flags=tuple(found.flags),
        spec=spec.as_plain(),
        environment=environment,
        conditions=conditions or {},
        provenance=describe_provenance(),
        measurements=found.measurements,
        missing=found.missing,
        confusion=found.confusion,
        curve=found.curve,
        tried=tried or [],
    )
    return shortened(record)


def shortened(record: "RunRecord") -> "RunRecord":
    """Leave out of a record what matters least, step by step, until it fits its 4 KB.

    One that still does not fit becomes a row that says why.
    """
    from results import RecordError

    for shorten in SHORTENINGS:
        try:
            check_fits(record)
        except RecordError:
            record = shorten(record)
    try:
        check_fits(record)
    except RecordError as error:
        lost = replace(record, status="crashed", reason=str(error), flags=(), conditions={})
        return replace(lost, measurements={})
    return record


def check_fits(record: "RunRecord") -> None:
    """Refuse a record that is too long once the store has named its samples.

    Raises:
        RecordError: with its length.
    """
    replace(record, samples=SAMPLES_PLACE).to_json_line()


def _with_digits(digits: int, unit: str | None, record: "RunRecord") -> "RunRecord":
    """Round what has this unit, or anything, to significant digits; whole numbers stay."""

    def rounded(values: Sequence[float], units: Iterable[str]) -> tuple[float, ...]:
        return tuple(
            float(f"{v:.{digits}g}") if unit in {None, its} and not float(v).is_integer() else v
            for v, its in zip(values, units, strict=False)
        )

    measurements = {
        name: msgspec.structs.replace(one, values=rounded(one.values, repeat(one.unit)))
        for name, one in record.measurements.items()
    }
    points = record.curve and [list(rounded(point, CURVE_UNITS)) for point in record.curve]
    return replace(record, measurements=measurements, curve=points)


def _with_few_points(record: "RunRecord") -> "RunRecord":
    """Keep a few points of the curve, those that tables need among them; the samples have all."""
    from bench.train.curve import chosen_points

    curve = record.curve or []
    chosen = chosen_points([point[3] for point in curve], record.spec.get("target"), FEW_POINTS)
    return replace(record, curve=[curve[k] for k in chosen] or None)


def _without(field_name: str, empty: Any, record: "RunRecord") -> "RunRecord":  # noqa: ANN401
    if not getattr(record, field_name):
        return record
    missing = record.missing | {field_name: "left out: the record is at most 4 KB"}
    return replace(record, **{field_name: empty}, missing=missing)


SHORTENINGS: tuple[Callable[["RunRecord"], "RunRecord"], ...] = (  # what is missed least first
    partial(_with_digits, 6, None),  # no figure here is known better
    partial(_with_digits, 4, "s"),  # one more than tables show
    partial(_without, "tried", []),
    _with_few_points,
    partial(_without, "curve", None),
    partial(_without, "confusion", None),
    partial(replace, missing={}),  # the rest is of bounded length
)
