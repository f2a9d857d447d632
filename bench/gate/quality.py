"""Quality: each model trained with the same seeds on both commits, and once more where in doubt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.gate.process import TIMEOUT_S, Process, WorkerError, in_workers
from bench.gate.speed import Workload
from results.errors import RecordError
from results.gate.pairs import BASE, HEAD
from results.gate.quality import ACCURACY, QualityRule, failed_run, judge_quality
from results.gate.verdict import Finding
from results.records.record import RunRecord
from results.text import plural

MOST_STEPS, LEAST_STEPS = 2000, 100
SIDE = "gate_side"  # key of a record; both commits may be the same one


def quality_steps(step_s: float, train_s: float) -> int | None:
    """Steps of a training of so many seconds, or None where they are too few to judge."""
    steps = int(train_s / step_s)
    return min(steps, MOST_STEPS) if steps >= LEAST_STEPS else None


def skipped(model: str, step_s: float, train_s: float) -> Finding:
    """That a model is not trained, and the remedy."""
    steps = int(train_s / step_s)
    why = f"{plural(steps, 'step')} in {train_s:g} s {'is' if steps == 1 else 'are'} too few"
    return Finding(
        check="accuracy",
        model=model,
        quantity=ACCURACY,
        outcome="skipped",
        evidence=f"{why} to judge; --train-seconds gives more",
    )


def check_quality(
    trees: Mapping[str, Path],
    workload: Workload,
    steps: Mapping[str, int],
    data: Path,
    logs: Path,
    rule: QualityRule,
    seeds: int,
    *,
    done: Callable[[RunRecord], None],
    timeout_s: float = TIMEOUT_S,
) -> list[Finding]:
    """Trains models on both commits, and judges accuracy, peak memory and runs that failed.

    Seeds take turns: base head, head base. Where something is unclear or worse, as many further
    seeds are trained, and all are judged together. Each model has fresh workers, as the peak of a
    process never falls. `done` is told of each record, its side under the key `gate_side`.
    """
    findings: list[Finding] = []
    sides = {side: trees[side] for side in (BASE, HEAD)}
    for model, count in steps.items():
        job = {
            "plan": workload.plans[model],
            "device": workload.device,
            "settings": list(workload.settings),
            "steps": count,
            "data": str(data),
            "timeout_s": timeout_s,
        }
        check = partial(_check_model, job=job, seeds=seeds, rule=rule, done=done)
        try:
            found, failed = in_workers(sides, [model], logs, check)
        except WorkerError as error:
            found, failed = {}, {model: error}
        findings += found[model] if model in found else [could_not_run(model, failed[model])]
    return findings


def _check_model(
    running: Sequence[Process],
    model: str,
    job: Mapping[str, Any],
    seeds: int,
    rule: QualityRule,
    done: Callable[[RunRecord], None],
) -> list[Finding]:
    """Findings of one model, after a second round of seeds where the first leaves a doubt."""
    trained: dict[str, list[RunRecord]] = {BASE: [], HEAD: []}
    findings: list[Finding] = []
    for first in (0, seeds):
        for seed in range(first, first + seeds):
            for process in running if seed % 2 == 0 else reversed(running):
                record = _train(process, {"model": model, "seed": seed, **job})
                trained[process.side].append(record)
                done(record)
        findings = judge_quality(model, trained[BASE], trained[HEAD], rule)
        # more seeds may tell more, but a run that failed has failed
        if not any(f.check != "run" and f.outcome in {"worse", "unclear"} for f in findings):
            break
    return findings


def _train(process: Process, job: Mapping[str, Any]) -> RunRecord:
    answer = process.ask("train", **job)
    try:
        record = RunRecord.from_json_line(str(answer).encode())
    except RecordError as error:
        raise WorkerError(process.side, f"its record cannot be read: {error}") from None
    return replace(record, extra=record.extra | {SIDE: process.side})


def could_not_run(model: str, error: WorkerError) -> Finding:
    """What could not be measured: the head is worse, and a base leaves nothing to compare."""
    if error.side == HEAD:
        return failed_run(model, error.reason)
    return failed_run(model, f"on the base: {error.reason}", outcome="unusable")


def could_not_start(error: WorkerError) -> Finding:
    """The same of a commit that cannot so much as be imported."""
    side = HEAD if error.side == HEAD else BASE
    return replace(could_not_run("", error), quantity=f"the {side}", evidence=error.reason)
