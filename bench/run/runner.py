"""Runs the seeds of a configuration in this process and makes their records."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.run.record import RunResult, Watcher, make_record
from bench.spec.artifacts import NOTHING, Artifacts
from bench.spec.run_spec import RunSpec

if TYPE_CHECKING:
    import torch

    from bench.train.session import Session
    from results import RunRecord


def execute(spec: RunSpec, *, device: str = "auto", data: Path | None = None) -> "RunRecord":
    """Runs one specification in this process and gives its record.

    A run that fails is a record with another status than `ok`.

    Args:
        spec: what to run; a learning rate or precision left open is settled for the device.
        device: `auto`, `cpu` or `cuda:N`.
        data: root of the data in torchvision's layout; None for $FMNIST_DATA or ./data.

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
    artifacts: Artifacts = NOTHING,
) -> Iterator[RunResult]:
    """Runs the seeds of one configuration one after the other, sharing all that can be shared.

    The arguments and errors are those of `execute`; `artifacts` are left beside the records.
    """
    from bench.machine.device import pick_device
    from bench.machine.environment import describe_environment
    from data_pipeline import ensure_data

    started: float | None = time.perf_counter()
    chosen = pick_device(device)
    spec = spec.resolved_for(chosen.type)
    environment = describe_environment(chosen, ensure_data(data).data_hash)
    opener = _SessionOpener(spec, chosen, data, len(seeds), artifacts)
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
    artifacts: Artifacts
    session: "Session | None" = None

    def __call__(self) -> "Session":
        from bench.train.session import Session

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
    from bench.engine.failures import classify, loses_device
    from bench.machine.environment import describe_conditions
    from bench.measure.findings import SHARED, Findings
    from bench.run.seed import run_seed

    findings = Findings()
    conditions = describe_conditions(opener.device)
    status, reason, is_device_lost = "ok", None, False
    try:
        run_seed(opener(), spec, findings, watch, opener.artifacts)
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
        tried=list(opener.session.tried) if opener.session else [],
    )
    return RunResult(record, findings.samples, is_device_lost)


def _as_run(spec: RunSpec, session: "Session | None") -> RunSpec:
    """The spec under the plan that was really used, where `auto` came to one."""
    if spec.plan is None and session and session.plan:
        return spec.with_chosen_plan(session.plan)
    return spec
