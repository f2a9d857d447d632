"""Run the seeds of a configuration in this process and make their records."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.run.record import RunResult, Watcher, make_record
from bench.spec.artifacts import NOTHING, Artifacts
from bench.spec.run_spec import RunSpec
from fmnist_models.external import files_beside

if TYPE_CHECKING:
    from bench.measure.findings import Findings
    from results import RunRecord

MOST_NAMED = 3  # files: a record is at most 4 KB


def execute(spec: RunSpec, *, device: str = "auto", data: Path | None = None) -> "RunRecord":
    """Run one specification in this process and return its record.

    A run that fails is a record with another status than `ok`.

    Args:
        spec: what to run; a learning rate or precision left open is settled for the device.
        device: `auto`, `cpu` or `cuda:N`.
        data: folder of the data; None for $FMNIST_DATA or ./data.

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
    """Run the seeds of one configuration one after the other, sharing what can be shared.

    The arguments and errors are those of `execute`; `artifacts` are left beside the records.
    """
    from bench.machine.device import pick_device
    from bench.machine.environment import describe_conditions, describe_environment, threads_set
    from data_pipeline import ensure_data

    started: float | None = time.perf_counter()
    chosen = pick_device(device)
    spec = spec.resolved_for(chosen.type)
    environment = describe_environment(chosen, ensure_data(data).data_hash)

    from bench.measure.findings import SHARED, Findings
    from bench.run.seed import run_seed
    from bench.run.touched import switches_reported
    from bench.train.session import Session  # on the clock of the cold total

    session: Session | None = None

    def work(run: RunSpec, findings: Findings) -> None:
        nonlocal session
        session = session or Session.open(spec, chosen, data, len(seeds))
        with switches_reported(session, findings):
            run_seed(session, run, findings, watch, artifacts)

    for seed in seeds:
        watch(seed, "set-up", None)
        run = replace(spec, seed=seed)
        findings = Findings(conditions=describe_conditions(chosen))
        status, reason, is_device_lost = _outcome(partial(work, run, findings))
        cold_total = None if started is None else time.perf_counter() - started - findings.aside_s
        findings.add("cold_total", cold_total, SHARED)
        started = None  # further seeds begin warm: their totals would be of another kind
        if run.plan is None and session and session.plan:  # what `auto` came to
            run = run.with_chosen_plan(session.plan)
        findings.conditions |= threads_set() | late_imports(run, findings)
        record = make_record(
            run,
            status,
            reason,
            environment,
            findings.conditions,
            findings,
            list(session.tried) if session else [],
        )
        yield RunResult(record, findings.samples, is_device_lost)


def late_imports(spec: RunSpec, findings: "Findings") -> dict[str, list[str]]:
    """Flag a user's net that imported files in training that its spec does not know; name some."""
    late = sorted({*files_beside(spec.model)} - {*spec.model_files})
    if not late or spec.model_hash is None:
        return {}
    findings.flags.append("late_imports")
    return {"late_imports": late[:MOST_NAMED]}


def _outcome(work: Callable[[], None]) -> tuple[str, str | None, bool]:
    """Do the work; return status and reason of its end, and whether it lost the device."""
    try:
        work()
    except BaseException as error:  # a model may exit, too
        if _is_ctrl_c(error):
            raise
        from bench.engine.failures import classify, loses_device

        return *classify(error), loses_device(error)
    return "ok", None, False


def _is_ctrl_c(error: BaseException) -> bool:
    """Whether a user may have asked for the end; not where SIGINT is ignored, as in a child."""
    is_listening = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    return isinstance(error, KeyboardInterrupt) and is_listening
