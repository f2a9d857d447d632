"""Quality: each model trained with the same seeds on both commits, and once more where in doubt."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.gate.process import TIMEOUT_S, Asked, WorkerDiedError, WorkerError
from bench.gate.turns import Workload, started
from results.errors import RecordError
from results.gate.pairs import BASE, HEAD
from results.gate.quality import ACCURACY, QualityRule, failed_run, judge_quality
from results.gate.verdict import Finding
from results.records.record import RunRecord

MOST_STEPS, LEAST_STEPS = 2000, 100
SIDE = "gate_side"  # key of a record; both commits may be the same one
Starter = Callable[[Mapping[str, Path], Path], AbstractContextManager[Sequence[Asked]]]
"""Starts a worker a side, given their folders and one for logs; see `started`."""


def quality_steps(
    step_s: float, train_s: float, most: int = MOST_STEPS, least: int = LEAST_STEPS
) -> int | None:
    """Steps of a training of so many seconds, or None where they are too few to judge."""
    steps = int(train_s / step_s)
    return min(steps, most) if steps >= least else None


def why_too_few(step_s: float, train_s: float) -> str:
    """Why a model is not trained, and the remedy."""
    steps = int(train_s / step_s)
    noun = f"step{'' if steps == 1 else 's'}"
    verb = "is" if steps == 1 else "are"
    return f"{steps} {noun} in {train_s:g} s {verb} too few to judge; --train-seconds gives more"


def check_quality(
    trees: Mapping[str, Path],
    workload: Workload,
    steps_of: Callable[[str], int | None],
    data: Path,
    logs: Path,
    rule: QualityRule,
    seeds: int,
    *,
    why_skipped: Callable[[str], str] = lambda _model: "too few steps to judge",
    done: Callable[[RunRecord], None] = lambda _record: None,
    timeout_s: float = TIMEOUT_S,
    start: Starter = started,
) -> tuple[list[Finding], list[RunRecord]]:
    """Trains every model on both commits, and judges accuracy, peak memory and runs that failed.

    Seeds take turns: base head, head base. Where something is unclear or worse, as many further
    seeds are trained, and all are judged together.

    Args:
        trees: folder by side; those of the base and the head are used.
        workload: models with their plans, the device, settings of the recipe.
        steps_of: steps of each training of a model; None leaves it out.
        data: root of the data.
        logs: folder for what the workers write.
        rule: what counts as worse.
        seeds: of the first round.
        why_skipped: reason for a model that is left out.
        done: told of each record.
        timeout_s: longest time for one training.
        start: starts the workers.

    Returns:
        Findings, and all records in the order of training, each with its side under `gate_side`.
    """
    findings: list[Finding] = []
    records: list[RunRecord] = []
    sides = {side: trees[side] for side in (BASE, HEAD)}

    def keep(record: RunRecord) -> None:
        records.append(record)
        done(record)

    for model in workload.plans:
        steps = steps_of(model)
        if steps is None:
            findings.append(_skipped(model, why_skipped(model)))
            continue
        job = _job(workload, model, steps, data) | {"timeout_s": timeout_s}
        for is_last in (False, True):
            try:
                with start(sides, logs) as running:
                    findings += _check_model(running, job, seeds, rule, keep)
                break
            except WorkerError as error:  # a death may once be the machine's doing
                if is_last or not isinstance(error, WorkerDiedError):
                    findings.append(could_not_run(model, error))
                    break
    return findings, records


def _job(workload: Workload, model: str, steps: int, data: Path) -> dict[str, Any]:
    return {
        "model": model,
        "plan": workload.plans[model],
        "device": workload.device,
        "settings": list(workload.settings),
        "steps": steps,
        "data": str(data),
    }


def _check_model(
    running: Sequence[Asked],
    job: Mapping[str, Any],
    seeds: int,
    rule: QualityRule,
    keep: Callable[[RunRecord], None],
) -> list[Finding]:
    """Findings of one model, after a second round of seeds where the first leaves a doubt."""
    trained: dict[str, list[RunRecord]] = {BASE: [], HEAD: []}
    findings: list[Finding] = []
    for first in (0, seeds):
        for seed in range(first, first + seeds):
            for process in running if seed % 2 == 0 else reversed(running):
                record = _train(process, job, seed)
                trained[process.side].append(record)
                keep(record)
        findings = judge_quality(job["model"], trained[BASE], trained[HEAD], rule)
        if not any(map(_is_doubtful, findings)):
            break
    return findings


def _train(process: Asked, job: Mapping[str, Any], seed: int) -> RunRecord:
    answer = process.ask("train", seed=seed, **job)
    try:
        record = RunRecord.from_json_line(str(answer).encode())
    except RecordError as error:
        raise WorkerError(process.side, f"its record cannot be read: {error}") from None
    return replace(record, extra=record.extra | {SIDE: process.side})


def _is_doubtful(finding: Finding) -> bool:
    """Whether more seeds may tell more; a run that failed has failed."""
    return finding.check != "run" and finding.outcome in {"worse", "unclear"}


def _skipped(model: str, reason: str) -> Finding:
    return Finding(
        check="accuracy", model=model, quantity=ACCURACY, outcome="skipped", evidence=reason
    )


def could_not_run(model: str, error: WorkerError) -> Finding:
    """What could not be measured: the head is worse, and a base leaves nothing to compare."""
    if error.side == HEAD:
        return failed_run(model, error.reason)
    return failed_run(model, f"on the base: {error.reason}", outcome="unusable")


def could_not_start(error: WorkerError) -> Finding:
    """The same of a commit that cannot so much as be imported."""
    side = HEAD if error.side == HEAD else BASE
    return replace(could_not_run("", error), quantity=f"the {side}", evidence=error.reason)
