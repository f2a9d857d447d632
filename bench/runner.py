"""Runs the seeds of a configuration in this process and makes their records."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.keep import NOTHING, Keep
from bench.provenance import describe_provenance
from bench.spec import RunSpec

if TYPE_CHECKING:
    import torch

    from bench.findings import Findings
    from bench.session import Session
    from bench.training import Progress
    from results import RunRecord

SAMPLES_PLACE = {"file": f"samples/{'0' * 16}.npz", "sha256": "0" * 64}  # as the store adds it
EMPTY: dict[str, Any] = {"tried": [], "curve": None, "confusion": None, "missing": {}}
FEW, FEW_POINTS = "few points", 5
Watcher = Callable[[int, str, "Progress | None"], None]
"""Told the seed, the phase, and while training the progress; must be cheap."""


@dataclass(frozen=True)
class RunResult:
    """A record and the raw samples that belong beside it.

    Attributes:
        record: of the run.
        samples: array name to array.
        is_device_lost: whether an error has left this process without its GPU.
    """

    record: "RunRecord"
    samples: dict[str, Any] = field(default_factory=dict)
    is_device_lost: bool = False


def execute(spec: RunSpec, *, device: str = "auto", data: Path | None = None) -> "RunRecord":
    """Runs one specification in this process and gives its record.

    Args:
        spec: what to run; a learning rate or precision left open is settled for the device.
        device: `auto`, `cpu` or `cuda:N`.
        data: root of the data in torchvision's layout; None for $FMNIST_DATA or ./data.

    Returns:
        The record; a run that fails is a record with another status than `ok`.

    Raises:
        UsageError: there is no such device.
        DataError: the data cannot be had.
    """
    return next(execute_seeds(spec, [spec.seed], device=device, data=data)).record


def execute_seeds(
    spec: RunSpec,
    seeds: Sequence[int],
    *,
    device: str = "auto",
    data: Path | None = None,
    watch: Watcher = lambda _seed, _phase, _progress: None,
    keep: Keep = NOTHING,
) -> Iterator[RunResult]:
    """Runs the seeds of one configuration one after the other, sharing all that can be shared.

    The arguments and errors are those of `execute`; `keep` says what to leave beside the records.
    """
    from bench.device import pick_device
    from bench.environment import describe_environment
    from data_pipeline import ensure_data

    started: float | None = time.perf_counter()
    chosen = pick_device(device)
    spec = spec.resolved_for(chosen.type)
    environment = describe_environment(chosen, ensure_data(data).data_hash)
    opener = _SessionOpener(spec, chosen, data, len(seeds), keep)
    for seed in seeds:
        watch(seed, "set-up", None)
        yield _run_and_record(opener, replace(spec, seed=seed), environment, started, watch)
        started = None  # further seeds begin warm: their totals would be of another kind


@dataclass
class _SessionOpener:
    """Opens the session once, or tries again where the last seed could not."""

    spec: RunSpec
    device: "torch.device"
    data: Path | None
    num_seeds: int
    keep: Keep
    session: "Session | None" = None

    def __call__(self) -> "Session":
        from bench.session import Session

        if self.session is None:
            self.session = Session.open(self.spec, self.device, self.data, self.num_seeds)
        return self.session


def _run_and_record(
    opener: _SessionOpener,
    spec: RunSpec,
    environment: dict[str, Any],
    started: float | None,
    watch: Watcher,
) -> RunResult:
    from bench.environment import describe_conditions
    from bench.failures import classify, loses_device
    from bench.findings import SHARED, Findings
    from bench.measure import measure_seed

    findings = Findings()
    conditions = describe_conditions(opener.device)
    status, reason, is_device_lost = "ok", None, False
    try:
        measure_seed(opener(), spec, findings, watch, opener.keep)
    except Exception as error:
        status, reason = classify(error)
        is_device_lost = loses_device(error)
    cold_total = None if started is None else time.perf_counter() - started - findings.aside_s
    findings.add("cold_total", cold_total, SHARED)
    record = make_record(
        _as_run(spec, opener.session),
        status,
        reason,
        environment=environment,
        conditions=conditions | findings.conditions,
        findings=findings,
        tried=[candidate.as_plain() for candidate in opener.session.tried]
        if opener.session
        else [],
    )
    return RunResult(record, findings.samples, is_device_lost)


def _as_run(spec: RunSpec, session: "Session | None") -> RunSpec:
    """The spec under the plan that was really used, where `auto` came to one."""
    if spec.plan is None and session and session.plan:
        return spec.with_chosen_plan(session.plan)
    return spec


def make_record(
    spec: RunSpec,
    status: str,
    reason: str | None,
    *,
    environment: dict[str, Any],
    conditions: dict[str, Any] | None = None,
    findings: "Findings | None" = None,
    tried: list[Any] | None = None,
) -> "RunRecord":
    """The record of a run, whatever became of it; a run that never began has no findings."""
    from bench.findings import Findings
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
    """The record without what it can do without, where it would not fit its 4 KB otherwise."""
    for rounding in (_with_six_digits, _with_four_digit_times):
        if not _fits(record):
            record = rounding(record)
    for field_name in ("tried", FEW, "curve", "confusion", "missing"):
        if not _fits(record) and (field_name == FEW or getattr(record, field_name)):
            record = _without(record, field_name)
    return record


def _without(record: "RunRecord", field_name: str) -> "RunRecord":
    if field_name == FEW:
        return replace(record, curve=_few(record))
    if field_name == "missing":  # what is left then is of bounded length
        return replace(record, missing={})
    missing = record.missing | {field_name: "left out: the record is at most 4 KB"}
    return replace(record, **{field_name: EMPTY[field_name]}, missing=missing)


def _few(record: "RunRecord") -> list[list[float]] | None:
    """Some points of the curve, those that tables ask for among them; all are in the samples."""
    from bench.curve import chosen_points

    curve = record.curve or []
    chosen = chosen_points([point[3] for point in curve], record.spec.get("target"), FEW_POINTS)
    return [curve[k] for k in chosen] or None


def check_fits(record: "RunRecord") -> None:
    """Refuses a record that is too long once the store has named its samples.

    Raises:
        RecordError: with its length.
    """
    replace(record, samples=SAMPLES_PLACE).to_json_line()


def _fits(record: "RunRecord") -> bool:
    from results import RecordError

    try:
        check_fits(record)
    except RecordError:
        return False
    return True


def _with_six_digits(record: "RunRecord") -> "RunRecord":
    """Measurements and curves to six significant digits: no figure here is known better."""
    measurements = {
        name: replace(measurement, values=_rounded(measurement.values, 6))
        for name, measurement in record.measurements.items()
    }
    points = record.curve and [list(_rounded(point, 6)) for point in record.curve]
    return replace(record, measurements=measurements, curve=points)


def _with_four_digit_times(record: "RunRecord") -> "RunRecord":
    """Seconds to four digits, one more than tables show; what is no time keeps its own."""
    measurements = {
        name: replace(m, values=_rounded(m.values, 4)) if m.unit == "s" else m
        for name, m in record.measurements.items()
    }
    points = record.curve and [[*_rounded(point[:1], 4), *point[1:]] for point in record.curve]
    return replace(record, measurements=measurements, curve=points)


def _rounded(values: Sequence[float], digits: int) -> tuple[float, ...]:
    """To so many significant digits; whole numbers stay as they are."""
    return tuple(v if float(v).is_integer() else float(f"{v:.{digits}g}") for v in values)
