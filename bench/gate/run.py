"""A gate from two commits to a verdict: counts, speed, quality, one after the other."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench.counts.baseline import Rows
from bench.errors import UsageError
from bench.gate.counts import consented_counts, judge_counts
from bench.gate.process import (
    PROTOCOL,
    TIMEOUT_S,
    Process,
    RefusedError,
    WorkerError,
    in_workers,
    started,
)
from bench.gate.quality import SIDE, check_quality, could_not_run, quality_steps, skipped
from bench.gate.speed import SIDES, Workload, measure_speed, prepare
from results.errors import NotComparable
from results.gate.pairs import AGAIN, BASE, HEAD, SpeedRule, judge
from results.gate.quality import QualityRule
from results.gate.verdict import Commit, Finding, Verdict
from results.records.record import RunRecord
from results.text import plural

COUNTS, SPEED, QUALITY = CHECKS = ("counts", "speed", "quality")
OVERHEAD = 1.15  # a turn takes longer than its steps: asking, the last one, answering
TRAINING_S = 2.0  # of a training for quality, beside its steps: data, warm-up, evaluation
OTHERS = 1.5  # three workers start on two cores, where two were timed


@dataclass(frozen=True, kw_only=True)
class GateOptions:
    """What is held against what, and how strictly."""

    request: Mapping[str, Any]  # models, device, settings and plan, as `Worker.resolve` takes them
    checks: Sequence[str]  # some of CHECKS
    speed: SpeedRule
    quality: QualityRule
    train_s: float  # of each training for quality, about
    seeds: int  # trainings of each model and side; as many again where they leave a doubt


class Look(NamedTuple):
    """A first look at a model: counts of both sides, seconds of a step and of making it ready."""

    base: Rows
    head: Rows
    step_s: float = math.inf
    ready_s: float = 0.0


@dataclass(kw_only=True)
class Gate:
    """Two commits held against each other, and what was found so far."""

    base: Commit
    head: Commit
    trees: Mapping[str, Path]  # folders of base and head, by side
    options: GateOptions
    data: Path
    folder: Path  # for the logs of the workers
    command: str  # repeats the gate
    say: Callable[[str], None]  # told of progress, a line at a time
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    records: list[RunRecord] = field(default_factory=list)  # of trainings, in their order
    models: list[str] = field(default_factory=list)  # those that did not fail

    def run(self) -> Verdict:
        """Measure what is asked for and judge it.

        Raises:
            UsageError: the base refuses the request.
            NotComparable: a commit speaks another protocol.
        """
        begun = time.monotonic()
        try:
            self._measure()
        except WorkerError as error:  # its commit cannot so much as start
            name = "the head" if error.side == HEAD else "the base"
            failure = could_not_run("", error)
            self.findings.append(replace(failure, quantity=name, evidence=error.reason))
        return Verdict(
            base=self.base,
            head=self.head,
            findings=self.findings,
            command=self.command,
            environment=self.environment,
            rule=asdict(self.options.speed) | asdict(self.options.quality),
            measured=self.measured,
            notes=self.notes,
            seconds=time.monotonic() - begun,
        )

    def _measure(self) -> None:
        begun, checks = time.monotonic(), self.options.checks
        with started(self.trees, self.folder) as running:
            start_s = time.monotonic() - begun
            workload, stack = self._agree(*running)
        look_at = partial(self._look_at, workload=workload)
        looks, failures = in_workers(self.trees, self.models, self.folder, look_at)
        self._leave_out(failures)
        if looks and {SPEED, QUALITY} & {*checks}:
            self.say(self._forecast(looks, workload, start_s))
        if COUNTS in checks:
            self._judge_counts(workload.device, stack, looks)
        if SPEED in checks and self.models:
            self._judge_speed(workload)
        if QUALITY in checks and self.models:
            self._judge_quality(workload, looks)

    def _agree(self, base: Process, head: Process) -> tuple[Workload, str]:
        """Ask both commits what they have; what the base makes of the request holds for both.

        Returns:
            What every turn trains, and the stack that counts hold for.

        Raises:
            UsageError: the base refuses the request.
            NotComparable: a commit speaks another protocol.
        """
        for process in (base, head):
            _check_introduction(process)
        try:
            answer: dict[str, Any] = base.ask("resolve", **self.options.request)
        except RefusedError as error:
            raise UsageError(error.reason) from None
        before, after = answer["all_models"], head.ask("list_models")
        new = [model for model in after if model not in before]
        why = f"gone; renamed to {' or '.join(new)}?" if new else "gone"
        gone = Finding(check="run", model="", quantity="model", outcome="worse", evidence=why)
        plans: dict[str, str] = {}
        for model, plan in answer["plans"].items():
            if model in after or model not in before:  # one of the user's own is in neither
                plans[model] = plan
            else:
                self.findings.append(replace(gone, model=model))
        self.environment, self.models = answer["environment"], [*plans]
        self.measured |= {"plans": plans, "settings": answer["settings"]}
        if self.base.commit == self.head.commit:
            self.notes.append("base and head are the same commit: this measures the gate alone")
        if new:
            self.notes.append(f"new, with nothing to be compared with: {', '.join(new)}")
        return Workload(plans, answer["device"], answer["settings"]), answer["stack"]

    def _leave_out(self, failures: Mapping[str, WorkerError]) -> None:
        """Note models that could not be measured, and leave them out from here on."""
        for model, error in failures.items():
            self.findings.append(could_not_run(model, error))
            self.models.remove(model)

    def _look_at(self, running: Sequence[Process], model: str, workload: Workload) -> Look:
        """Count both sides at once, which needs no quiet machine; the seconds are of the base."""
        counts: dict[str, Rows] = {BASE: {}, HEAD: {}}
        if COUNTS in self.options.checks:
            counts = _ask_all(running, "count", model=model, device=workload.device)
        if not {SPEED, QUALITY} & {*self.options.checks}:
            return Look(counts[BASE], counts[HEAD])
        base, begun = running[0], time.monotonic()
        step_s, ready_s = prepare(base, model, workload)["step_s"], time.monotonic() - begun
        base.ask("drop", model=model)
        return Look(counts[BASE], counts[HEAD], step_s, ready_s)

    def _judge_counts(self, device: str, stack: str, looks: Mapping[str, Look]) -> None:
        with started(self.trees, self.folder) as running:
            epochs = _ask_all(running, "count_epochs", device=device)
        base: Rows = {}
        head: Rows = {}
        for look in [*looks.values(), Look(epochs[BASE], epochs[HEAD])]:
            base, head = base | look.base, head | look.head
        consented = consented_counts(self.trees[BASE], self.trees[HEAD], stack)
        self.findings += judge_counts(base, head, consented)
        self.measured["counts"] = {BASE: base, HEAD: head}

    def _judge_speed(self, workload: Workload) -> None:
        trees = {**self.trees, AGAIN: self.trees[BASE]}
        rule = self.options.speed
        speed = measure_speed(trees, workload, self.models, rule, self.folder, self.say)
        self._leave_out(speed.failures)
        self.findings += judge(speed.first, speed.second, rule)
        self.measured["pairs"] = {
            model: [asdict(pair) for pair in [*pairs, *speed.second.get(model, [])]]
            for model, pairs in speed.first.items()
        }

    def _judge_quality(self, workload: Workload, looks: Mapping[str, Look]) -> None:
        train_s = self.options.train_s
        for model in self.models:
            steps = quality_steps(looks[model].step_s, train_s)
            if steps is None:
                self.findings.append(skipped(model, looks[model].step_s, train_s))
                continue
            self.findings += check_quality(
                self.trees,
                workload,
                model,
                steps,
                self.data,
                self.folder,
                self.options.quality,
                self.options.seeds,
                done=self._keep,
                timeout_s=max(TIMEOUT_S, 10 * train_s),
            )
        self.measured["trainings"] = [record.record_id for record in self.records]

    def _keep(self, record: RunRecord) -> None:
        self.records.append(record)
        accuracy = record.measurements.get("test_accuracy")
        result = f"{accuracy.values[0]:.2%}" if accuracy else record.status
        spec = record.spec
        self.say(f"{spec['model']}, {record.extra.get(SIDE)}, seed {spec['seed']}: {result}")

    def _forecast(self, looks: Mapping[str, Look], workload: Workload, start_s: float) -> str:
        options = self.options
        num_pairs = options.speed.num_pairs(len(looks)) if SPEED in options.checks else 0
        num_trainings = 2 * options.seeds if QUALITY in options.checks else 0
        seconds = num_pairs * OTHERS * start_s
        for look in looks.values():
            turn_s = max(workload.turn_s, look.step_s) * OVERHEAD
            seconds += num_pairs * len(SIDES) * (look.ready_s + workload.rounds * turn_s)
            steps = quality_steps(look.step_s, options.train_s)
            if num_trainings and steps:
                seconds += start_s + num_trainings * (look.step_s * steps + TRAINING_S)
        once, twice = duration(seconds), duration(2 * seconds)
        return f"{plural(len(looks), 'model')}: about {once}, {twice} if all must be measured again"


def _check_introduction(process: Process) -> None:
    introduction = process.ask("introduce")
    if Path(introduction["root"]) != process.tree.resolve():
        raise UsageError(
            f"the worker of the {process.side} runs {introduction['root']}, not its commit: "
            "something comes before the worktree on Python's path; look at PYTHONPATH and .pth "
            "files"
        )
    if introduction.get("protocol") != PROTOCOL:
        raise NotComparable(
            f"the {process.side} speaks protocol {introduction.get('protocol')} and this gate "
            f"{PROTOCOL}; run the gate of a commit that is as old as both"
        )


def duration(seconds: float) -> str:
    """Write seconds in minutes and seconds, rounded to five: 45 s, 2 min 5 s."""
    minutes, rest = divmod(5 * round(seconds / 5), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _ask_all(running: Sequence[Process], question: str, **content: Any) -> dict[str, Rows]:  # noqa: ANN401 - JSON
    """Ask all workers at the same time, and return the answers by side.

    All are heard before one that failed counts: what a worker has left to say would be taken for
    its answer to the next question.

    Raises:
        WorkerError: the first of those that failed.
    """
    answers: dict[str, Rows] = {}
    failures: list[WorkerError] = []
    for process in running:
        process.put(question, **content)
    for process in running:
        try:
            answers[process.side] = process.answer(question)
        except WorkerError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return answers
