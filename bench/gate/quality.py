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
    """Return the steps of a training of so many seconds; None where they are too few to judge."""
    steps = int(train_s / step_s)
    return min(steps, MOST_STEPS) if steps >= LEAST_STEPS else None


def skipped(model: str, step_s: float, train_s: float) -> Finding:
    """Say that a model is not trained, and the remedy."""
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
    model: str,
    steps: int,
    data: Path,
    logs: Path,
    rule: QualityRule,
    seeds: int,
    *,
    done: Callable[[RunRecord], None],
    timeout_s: float = TIMEOUT_S,
) -> list[Finding]:
    """Train a model on both commits, and judge accuracy, peak memory and runs that failed.

    Seeds take turns: base head, head base. Where something is unclear or worse, as many further
    seeds are trained, and all are judged together. Each model has fresh workers, as the peak of a
    process never falls. `done` is told of each record, its side under the key `gate_side`.
    """
    job = {
        "plan": workload.plans[model],
        "device": workload.device,
        "settings": list(workload.settings),
        "steps": steps,
        "data": str(data),
        "timeout_s": timeout_s,
    }
    check = partial(_train_in_turns, job=job, seeds=seeds, rule=rule, done=done)
    try:
        found, failed = in_workers(trees, [model], logs, check)
    except WorkerError as error:
        return [could_not_run(model, error)]
    return found[model] if model in found else [could_not_run(model, failed[model])]


def _train_in_turns(
    running: Sequence[Process],
    model: str,
    job: Mapping[str, Any],
    seeds: int,
    rule: QualityRule,
    done: Callable[[RunRecord], None],
) -> list[Finding]:
    """Train a round of seeds, and a second one where the first leaves a doubt."""
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
    """Say that a model could not be measured: a head is worse, a base is nothing to compare to."""
    if error.side == HEAD:
        return failed_run(model, error.reason)
    return failed_run(model, f"on the base: {error.reason}", outcome="unusable")
