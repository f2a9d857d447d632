"""The sweep: every configuration in its own child, every result appended by the parent alone."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from bench.errors import RunError, UsageError
from bench.run.record import RunResult, check_fits, make_record
from bench.run.runner import execute_seeds
from bench.spec.artifacts import NOTHING, Artifacts
from bench.spec.plan import AUTO, Plan
from bench.spec.run_spec import RunSpec
from bench.sweep.child import RunJob, run_seeds
from bench.sweep.progress import ProgressBars, describe_record, describe_run
from bench.sweep.request import Request
from bench.sweep.rescue import Ended, Refused, run_and_rescue, store_or_refuse
from bench.workers import messages
from bench.workers.interruption import Interruption, watch_signals
from bench.workers.isolation import FAREWELL_S, PARTING_S, STOPPED, Child
from results import RecordError, RunRecord, RunStore
from results.rows.comparable import spec_labels
from results.text import one_line

if TYPE_CHECKING:
    from bench.train.training import Progress

Report = Callable[[str, float | None, str], None]
"""Told of progress, as `ProgressBars.show` takes it."""


@dataclass(frozen=True)
class Sweep:
    """What to run, and how."""

    specs: Sequence[RunSpec]  # one resolved spec a configuration, of any seed
    seeds: Sequence[int]
    device: str
    environment: dict[str, Any]  # for the records of runs that die without one
    store: RunStore
    request: Request
    artifacts: Artifacts = NOTHING
    report: Report = lambda _label, _fraction, _note: None
    done: Callable[[RunRecord], None] = lambda _record: None  # told of each new record

    def name_of(self, config_id: str) -> str:
        """What a configuration is called while it runs: as its row will be."""
        return self._names[config_id]

    @cached_property
    def _names(self) -> dict[str, str]:
        names = spec_labels([spec.as_plain() for spec in self.specs])
        return {spec.config_id: name for spec, name in zip(self.specs, names, strict=True)}


def run_shown(sweep: Sweep, read: Callable[[], list[RunRecord]], num_done: int = 0) -> Ended:
    """Run a sweep with bars on a terminal; where its store refuses, rescue what was measured.

    `read` gives the records of the sweep in its store, `num_done` of which were there before.
    """

    def work(note: Callable[[RunRecord], None]) -> Interruption:
        with ProgressBars("runs", len(sweep.specs) * len(sweep.seeds), num_done) as bars:

            def done(record: RunRecord) -> None:
                note(record)
                bars.done(describe_record(record, sweep.name_of(record.config_id)))

            return run_sweep(replace(sweep, report=bars.show, done=done))

    return run_and_rescue(work, sweep.store, read)


def run_sweep(sweep: Sweep) -> Interruption:
    """Run what is not in the store yet; return what the user interrupted, if anything.

    Raises:
        Refused: the store takes no more; runs that have not begun are left to another sweep.
    """
    with watch_signals(raises=sweep.request.in_process) as interruption:
        for spec in sweep.specs:
            recorded = _recorded(sweep, spec)
            seeds = [seed for seed in sweep.seeds if seed not in recorded]
            _run_configuration(sweep, spec, seeds, interruption)
            if interruption.after_run:
                break
    return interruption


def _recorded(sweep: Sweep, spec: RunSpec) -> dict[int, RunRecord]:
    """Return the runs of a configuration that need not be repeated, by seed."""
    try:
        records = sweep.store.read()
    except RecordError as error:  # it could be read when the sweep began
        raise Refused(str(error)) from error
    return {
        int(record.spec["seed"]): record
        for record in records
        if record.config_id == spec.config_id and record.is_final
    }


def _run_configuration(
    sweep: Sweep, spec: RunSpec, seeds: list[int], interruption: Interruption
) -> None:
    """Run the seeds, in a fresh child again where one died over a seed."""
    run = _here if sweep.request.in_process else _in_child
    while seeds and not interruption.after_run:
        spec = _pinned(spec, _recorded(sweep, spec))
        try:
            with closing(run(sweep, spec, tuple(seeds), interruption)) as results:
                for result in results:
                    store_or_refuse(sweep.store, [result], sweep.done)
                    seeds.remove(int(result.record.spec["seed"]))
                    if interruption.after_run:
                        return
            continue
        except RunError as error:
            status, reason = error.status, error.reason
        except KeyboardInterrupt as error:
            from bench.engine.failures import classify  # loads torch, which runs here already

            # where nobody has pressed Ctrl-C, the model has raised it
            status, reason = ("interrupted", STOPPED) if interruption.now else classify(error)
        dead = replace(spec, seed=seeds.pop(0))
        record = make_record(dead, status, reason, environment=sweep.environment)
        store_or_refuse(sweep.store, [RunResult(record)], sweep.done)


def _pinned(spec: RunSpec, recorded: dict[int, RunRecord]) -> RunSpec:
    """Give further seeds of a configuration the plan that its first ones ran under."""
    plans = {record.spec["plan"] for record in recorded.values() if record.status == "ok"}
    if spec.requested_plan != AUTO or len(plans) != 1:
        return spec
    return spec.with_chosen_plan(Plan.parse(plans.pop()))


def _here(
    sweep: Sweep, spec: RunSpec, seeds: tuple[int, ...], _interruption: Interruption
) -> Generator[RunResult]:
    def watch(seed: int, phase: str, progress: "Progress | None") -> None:
        label, fraction, note = describe_run(seed, phase, progress)
        sweep.report(f"{sweep.name_of(spec.config_id)} · {label}", fraction, note)

    yield from execute_seeds(
        spec,
        seeds,
        device=sweep.device,
        data=sweep.request.data,
        watch=watch,
        artifacts=sweep.artifacts,
    )


def checked_record(line: object, spec: RunSpec, waiting: set[int]) -> RunRecord:
    """Check and return the record that a child sent; user code runs there, so trust nothing.

    Raises:
        RunError: it is no record, cannot be stored, or is of another run (`crashed`).
    """
    try:
        record = RunRecord.from_json_line(str(line).encode("utf-8", "replace"))
        check_fits(record)
    except RecordError as error:
        raise RunError("crashed", f"the child sent no record: {error}") from None
    seed = record.spec["seed"]
    if type(seed) is not int or seed not in waiting:
        raise RunError("crashed", f"the child sent a record of seed {seed}")
    asked = msgspec.json.decode(msgspec.json.encode(replace(spec, seed=seed).as_plain()))
    if spec.plan is None:  # the child has settled it
        with suppress(UsageError):
            asked["plan"] = str(Plan.parse(str(record.spec["plan"])))
    if record.spec != asked or record.config_id != spec.config_id:
        raise RunError("crashed", "the child sent the record of another run")
    return replace(record, samples=None)


def checked_progress(content: object) -> tuple[str, float | None, str]:
    """Check progress that a child sent in the form of `describe_run`; it steers no terminal.

    Raises:
        RunError: it is no progress (`crashed`).
    """
    match content:
        case [str(label), None | int() | float() as fraction, str(note)] if (
            max(len(label), len(note)) <= messages.MAX_SHOWN_CHARS
        ):
            share = None if fraction is None else min(1.0, max(0.0, fraction))  # of nan, 0
            return one_line(label), share, one_line(note)
    raise RunError("crashed", "the child sent progress that is none")


def _in_child(
    sweep: Sweep, spec: RunSpec, seeds: tuple[int, ...], interruption: Interruption
) -> Generator[RunResult]:
    """Run the seeds in a child; yield its results.

    Raises:
        RunError: it died, hung or was stopped before its last seed.
    """
    job = RunJob(spec, seeds, sweep.device, sweep.request.data, sweep.artifacts)
    child = Child.start(run_seeds, job, sweep.request.max_memory_bytes)
    waiting = set(seeds)
    try:
        for kind, content in child.messages(
            timeout_s=sweep.request.timeout_s, should_stop=lambda: interruption.now
        ):
            if kind == messages.PROGRESS:
                label, fraction, note = checked_progress(content)
                sweep.report(f"{sweep.name_of(spec.config_id)} · {label}", fraction, note)
            elif kind == messages.RECORD:
                line, samples = content
                record = checked_record(line, spec, waiting)
                waiting.remove(record.spec["seed"])
                yield RunResult(record, samples)
                if not waiting:
                    break  # a thread of the user's may keep the child alive for ever
            elif kind == messages.FAREWELL and len(waiting) < len(seeds):
                return  # further seeds need a process that has not lost its device
            else:
                raise messages.unexpected(kind, content)
        death = child.close(FAREWELL_S if waiting else PARTING_S)
        if waiting and interruption.now:  # the signal may have reached the child before us
            raise RunError("interrupted", STOPPED)
        if waiting:
            raise death
    finally:
        child.kill()
