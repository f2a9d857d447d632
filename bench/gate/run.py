"""A gate from two commits to a verdict: counts, speed, quality, one after the other."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench.counts.baseline import Rows
from bench.gate.counts import consented_counts, judge_counts
from bench.gate.forecast import ModelTimes, forecast
from bench.gate.process import TIMEOUT_S, Process, WorkerError
from bench.gate.quality import (
    SIDE,
    check_quality,
    could_not_run,
    could_not_start,
    quality_steps,
    why_too_few,
)
from bench.gate.sides import GateGround, GateRequest, find_ground
from bench.gate.speed import measure_speed
from bench.gate.turns import Workload, in_workers, prepare, started, take_pairs
from results.gate.pairs import AGAIN, BASE, HEAD, Pair, SpeedRule, judge
from results.gate.quality import QualityRule
from results.gate.verdict import Commit, Finding, Verdict
from results.records.record import RunRecord

COUNTS, SPEED, QUALITY = "counts", "speed", "quality"
CHECKS = (COUNTS, SPEED, QUALITY)


@dataclass(frozen=True, kw_only=True)
class GateOptions:
    """What is held against what, and how strictly.

    Attributes:
        request: models, device, recipe settings and plan.
        checks: some of CHECKS.
        speed: when a step is slower.
        quality: when accuracy or memory is worse.
        train_s: seconds of each training for quality, about.
        seeds: trainings of each model and side; once more as many where they leave a doubt.
    """

    request: GateRequest
    checks: Sequence[str]
    speed: SpeedRule
    quality: QualityRule
    train_s: float
    seeds: int


@dataclass(frozen=True)
class Gate:
    """Two commits about to be held against each other.

    Attributes:
        base: what the head is held to.
        head: what is judged.
        trees: folders of base and head, by side.
        options: how.
        data: root of the data.
        folder: for the logs of the workers.
        command: repeats the gate.
        say: told of progress, a line at a time.
    """

    base: Commit
    head: Commit
    trees: Mapping[str, Path]
    options: GateOptions
    data: Path
    folder: Path
    command: str
    say: Callable[[str], None]


@dataclass
class Found:
    """What has been found so far; models that failed are out of `models`."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    records: list[RunRecord] = field(default_factory=list)
    models: list[str] = field(default_factory=list)

    def fail(self, failures: Mapping[str, WorkerError]) -> None:
        """Takes note of models that could not be measured, and leaves them out from here on."""
        for model, error in failures.items():
            self.findings.append(could_not_run(model, error))
            self.models.remove(model)


class Look(NamedTuple):
    """A first look at a model: counts of both sides, seconds of a step and of making it ready."""

    base: Rows
    head: Rows
    step_s: float = math.inf
    ready_s: float = 0.0


def run_gate(gate: Gate) -> tuple[Verdict, list[RunRecord]]:
    """The verdict, and the records of the trainings behind it.

    Raises:
        UsageError: the base refuses the request.
        NotComparable: a commit speaks another protocol.
    """
    begun, found = time.monotonic(), Found()
    try:
        _measure(gate, found)
    except WorkerError as error:  # its commit cannot so much as start
        found.findings.append(could_not_start(error))
    verdict = Verdict(
        base=gate.base,
        head=gate.head,
        findings=found.findings,
        command=gate.command,
        environment=dict(found.environment),
        rule=asdict(gate.options.speed) | asdict(gate.options.quality),
        measured=found.measured,
        notes=found.notes,
        seconds=time.monotonic() - begun,
    )
    return verdict, found.records


def _measure(gate: Gate, found: Found) -> None:
    begun = time.monotonic()
    with started(gate.trees, gate.folder) as running:
        start_s = time.monotonic() - begun
        ground = find_ground({process.side: process for process in running}, gate.options.request)
    _take_note(gate, ground, found)
    workload = Workload(ground.plans, ground.device, ground.settings)
    looks = _look(gate, workload, found)
    if looks and {SPEED, QUALITY} & {*gate.options.checks}:
        gate.say(_forecast(gate, looks, workload, start_s))
    if COUNTS in gate.options.checks:
        _judge_counts(gate, ground, looks, found)
    if SPEED in gate.options.checks and found.models:
        _judge_speed(gate, workload, found)
    if QUALITY in gate.options.checks and found.models:
        _judge_quality(gate, workload, looks, found)


def _take_note(gate: Gate, ground: GateGround, found: Found) -> None:
    found.environment = ground.environment
    found.findings.extend(ground.findings)
    found.models = [*ground.plans]
    found.measured |= {"plans": dict(ground.plans), "settings": list(ground.settings)}
    if gate.base.commit == gate.head.commit:
        found.notes.append("base and head are the same commit: this measures the gate alone")
    if ground.new:
        found.notes.append(f"new, with nothing to be compared with: {', '.join(ground.new)}")


def _look(gate: Gate, workload: Workload, found: Found) -> dict[str, Look]:
    looks, failures = in_workers(
        gate.trees, found.models, gate.folder, partial(_look_at, gate=gate, workload=workload)
    )
    found.fail(failures)
    return looks


def _look_at(running: Sequence[Process], model: str, gate: Gate, workload: Workload) -> Look:
    """Counts of both sides at once, as they need no quiet machine; the base's seconds a step."""
    counts: dict[str, Rows] = {BASE: {}, HEAD: {}}
    if COUNTS in gate.options.checks:
        for process in running:
            process.put("count", model=model, device=workload.device)
        for process in running:
            counts[process.side] = process.answer("count")
    if not {SPEED, QUALITY} & {*gate.options.checks}:
        return Look(counts[BASE], counts[HEAD])
    base, begun = next(process for process in running if process.side == BASE), time.monotonic()
    step_s, ready_s = prepare(base, model, workload)["step_s"], time.monotonic() - begun
    base.ask("drop", model=model)
    return Look(counts[BASE], counts[HEAD], step_s, ready_s)


def _judge_counts(gate: Gate, ground: GateGround, looks: Mapping[str, Look], found: Found) -> None:
    epochs: dict[str, Rows] = {}
    with started(gate.trees, gate.folder) as running:
        for process in running:
            process.put("count_epochs", device=ground.device)
        for process in running:
            epochs[process.side] = process.answer("count_epochs")
    base: Rows = {}
    head: Rows = {}
    for look in looks.values():
        base, head = base | look.base, head | look.head
    base, head = base | epochs[BASE], head | epochs[HEAD]
    consented = consented_counts(gate.trees[BASE], gate.trees[HEAD], ground.stack)
    found.findings.extend(judge_counts(base, head, consented))
    found.measured["counts"] = {BASE: base, HEAD: head}


def _judge_speed(gate: Gate, workload: Workload, found: Found) -> None:
    trees = dict(gate.trees) | {AGAIN: gate.trees[BASE]}

    def take(models: Sequence[str], number: int) -> tuple[dict[str, Pair], dict[str, WorkerError]]:
        return take_pairs(trees, workload, models, number, gate.folder)

    speed = measure_speed(take, found.models, gate.options.speed, gate.say)
    found.fail(speed.failures)
    found.findings.extend(judge(speed.first, speed.second, gate.options.speed))
    found.measured["pairs"] = {
        model: [asdict(pair) for pair in [*pairs, *speed.second.get(model, [])]]
        for model, pairs in speed.first.items()
    }


def _judge_quality(gate: Gate, workload: Workload, looks: Mapping[str, Look], found: Found) -> None:
    kept = replace(workload, plans={model: workload.plans[model] for model in found.models})
    findings, records = check_quality(
        {BASE: gate.trees[BASE], HEAD: gate.trees[HEAD]},
        kept,
        lambda model: quality_steps(looks[model].step_s, gate.options.train_s),
        gate.data,
        gate.folder,
        gate.options.quality,
        gate.options.seeds,
        why_skipped=lambda model: why_too_few(looks[model].step_s, gate.options.train_s),
        done=lambda record: gate.say(_trained(record)),
        timeout_s=max(TIMEOUT_S, 10 * gate.options.train_s),
    )
    found.findings.extend(findings)
    found.records.extend(records)
    found.measured["trainings"] = [record.record_id for record in records]


def _trained(record: RunRecord) -> str:
    side, spec = record.extra.get(SIDE), record.spec
    accuracy = record.measurements.get("test_accuracy")
    result = f"{accuracy.values[0]:.2%}" if accuracy else record.status
    return f"{spec['model']}, {side}, seed {spec['seed']}: {result}"


def _forecast(gate: Gate, looks: Mapping[str, Look], workload: Workload, start_s: float) -> str:
    """How long the rest will take, in words."""
    options = gate.options
    costs = [
        ModelTimes(look.step_s, look.ready_s, quality_steps(look.step_s, options.train_s))
        for look in looks.values()
    ]
    num_pairs = options.speed.num_pairs(len(costs)) if SPEED in options.checks else 0
    num_trainings = 2 * options.seeds if QUALITY in options.checks else 0
    return forecast(costs, workload, start_s, num_pairs, num_trainings)
