"""One commit's side of a gate: `python -m bench.gate.worker FD` in a worktree of that commit.

Each commit brings its own worker, so that whatever the commit changed inside stays its own affair.
The gate, which may be another commit's, asks in JSON frames (`bench.workers.messages`) over the
pipe FD; a question is answered or ends in a failure with status and reason. What is asked and
answered is the protocol: whoever changes it raises PROTOCOL, and commits on either side are not
comparable.
"""

import contextlib
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import fmnist_models
from bench.counts import count as counting
from bench.counts.baseline import EPOCHS, compiled_row, stack_of
from bench.engine.failures import classify
from bench.errors import RunError, UsageError
from bench.gate.process import PROTOCOL
from bench.gate.stopwatch import busy_seconds
from bench.machine.device import check_supported, pick_device, prepare_process
from bench.machine.environment import describe_environment
from bench.measure.findings import Findings
from bench.plans.candidates import has_convolutions
from bench.run.runner import execute
from bench.run.seed import prepare
from bench.spec.budget import Budget
from bench.spec.named_recipes import DEFAULT
from bench.spec.plan import Plan
from bench.spec.recipe_settings import override, read_settings
from bench.spec.run_spec import RunSpec
from bench.train.session import Session
from bench.train.splits import Splits
from bench.train.training import Trace, Training, set_budget
from bench.workers import messages
from bench.workers.confinement import settle_in
from data_pipeline import DataError

FAILURE = "failure"
DEFAULT_SETTINGS = {"cpu": ["batch_size=32"], "cuda": []}  # a step of ResNet-50 should fit a turn
MAX_NOISE_IMAGES, MAX_NOISE_BYTES = 54_000, 64 << 20


@dataclass
class Worker:
    """Answers to the questions of a gate; models that were made ready take turns in it."""

    ready: dict[str, Training] = field(default_factory=dict)  # by the name of their model
    device: str = "cpu"  # where they train

    def introduce(self) -> dict[str, Any]:
        """Return the protocol, and where the code that answers lies."""
        return {"protocol": PROTOCOL, "root": str(Path(__file__).resolve().parents[2])}

    def resolve(
        self, models: str, device: str, settings: Sequence[str] | None, plan: str | None
    ) -> dict[str, Any]:
        """Return the plan of each model asked for, device, settings, all models of this commit."""
        chosen = pick_device(device)
        names = fmnist_models.resolve_names(models)
        if plan is not None:  # one that this device lacks is refused, and `auto`, which would probe
            try:
                check_supported(_spec("v0", plan, ()).resolved_for(chosen.type), chosen)
            except RunError as error:
                raise UsageError(error.reason) from None
        if settings is None:
            settings = DEFAULT_SETTINGS[chosen.type]
        override(DEFAULT, read_settings(settings))  # refuses what is none
        return {
            "settings": settings,
            "plans": {name: plan or _eager_plan(name, chosen.type) for name in names},
            "device": str(chosen),
            "stack": stack_of(str(chosen)),
            "environment": describe_environment(chosen, ""),
            "all_models": self.list_models(),
        }

    def list_models(self) -> list[str]:
        """Return all models that this commit ships."""
        return fmnist_models.list_models()

    def count(self, model: str, device: str) -> dict[str, dict[str, int]]:
        """Count a model and its compiled training; see `bench.counts.count`."""
        build = fmnist_models.build_model
        size = fmnist_models.model_info(model).input_size
        rows = {model: counting.count_net(build(model), size, device)}
        compiled = counting.count_graphs(build(model), size, Plan.parse("compile"), device)
        return rows | {compiled_row(model, "compile"): compiled}

    def count_epochs(self, device: str) -> dict[str, dict[str, int]]:
        """Count images and steps of an epoch, and bytes of a record."""
        return {
            row: counting.count_epoch(drop_last=drop, device=device) for row, drop in EPOCHS.items()
        }

    def prepare(
        self,
        model: str,
        plan: str,
        device: str,
        settings: Sequence[str],
        turn_s: float,
    ) -> dict[str, Any]:
        """Make a model ready to train on noise, and say how many steps fill a turn."""
        training = _prepare_training(model, plan, device, settings)
        self.ready[model], self.device = training, device
        self.turn(model, _steps_of_turn(training.step_s, 0.0, plan))  # the first one takes longer
        step_s = self.turn(model, _steps_of_turn(training.step_s, turn_s, plan))
        return {"steps": _steps_of_turn(step_s, turn_s, plan), "step_s": step_s}

    def turn(self, model: str, steps: int) -> float:
        """Train so many steps, and return the seconds of one of them.

        On a GPU by its own clock, on a CPU without the time in which the training was kept waiting
        for a core.
        """
        training = self.ready[model]
        training.trace = trace = Trace()
        set_budget(training, steps)
        seconds = busy_seconds(lambda: training.run_turn(1.0))
        if self.device != "cpu":
            seconds = sum(trace.chunk_seconds)
        return seconds / trace.steps

    def drop(self, model: str) -> None:
        """Forget a model that was ready."""
        self.ready.pop(model, None)

    def train(
        self,
        model: str,
        plan: str,
        device: str,
        settings: Sequence[str],
        steps: int,
        seed: int,
        data: str,
    ) -> str:
        """Train on the real images, evaluate on validation ones, and return the record as JSON."""
        spec = replace(
            _spec(model, plan, settings),
            budget=Budget(steps, "steps"),
            seed=seed,
            evaluation_split="validation",
        )
        return execute(spec, device=device, data=Path(data)).to_json_line().decode()


def serve(pipe: Connection, worker: Worker) -> None:
    """Answer questions until the gate closes the pipe."""
    with contextlib.suppress(EOFError, OSError):  # the gate has heard enough, or is gone
        while True:
            question, content = messages.receive(pipe)
            kind, answer = _answer(worker, question, content)
            messages.send(pipe, kind, answer)


def _answer(worker: Worker, question: str, content: Mapping[str, Any]) -> tuple[str, Any]:
    """Answer with a public method of the worker's class; nothing else that it has is a question."""
    kind = type(worker)
    known = [name for name in dir(kind) if name[0] != "_" and callable(getattr(kind, name))]
    try:
        if question not in known:
            raise UsageError(f"unknown question {question!r}; choose from {', '.join(known)}")
        return messages.ANSWER, getattr(worker, question)(**content)
    except (UsageError, DataError, fmnist_models.ModelError) as error:
        return messages.REFUSAL, str(error)
    except Exception as error:
        status, reason = classify(error)
        return FAILURE, {"status": status, "reason": reason}


def _prepare_training(model: str, plan: str, device: str, settings: Sequence[str]) -> Training:
    """Return a warm training on images of noise, whose next step is the first on a clock."""
    chosen = pick_device(device)
    spec = _spec(model, plan, settings).resolved_for(chosen.type)
    prepare_process(spec, chosen)
    size = spec.recipe.input_size or fmnist_models.model_info(model).input_size
    num_images = min(MAX_NOISE_IMAGES, MAX_NOISE_BYTES // size**2)
    noise = counting.noise_split(num_images, size, chosen)
    splits = Splits(noise, None, noise, counting.NO_DATA_HASH)
    session, findings = Session(spec, chosen, splits, spec.plan), Findings()
    net = session.model_for(spec.seed)
    training = prepare(session, spec, net, findings, lambda _phase, _progress: None).training
    training.report = lambda _progress: None  # nothing but training happens in a turn
    return training


def _spec(model: str, plan: str, settings: Sequence[str]) -> RunSpec:
    return RunSpec(
        model=model,
        recipe=override(DEFAULT, read_settings(settings)),
        budget=Budget(1, "steps"),
        plan=Plan.parse(plan),
    )


def _eager_plan(model: str, device_kind: str) -> str:
    """Choose an eager plan: two compilations of one commit may differ.

    One thread on a CPU: beside other work two of them wait for each other, and a step of 0.2 ms
    takes 100.
    """
    try:
        is_spatial = has_convolutions(fmnist_models.build_model(model))
    except Exception:  # it fails again where it is looked at, and is a finding of its own there
        is_spatial = False
    plan = Plan(memory_format="channels_last") if is_spatial else Plan()
    return str(replace(plan, threads=1) if device_kind == "cpu" else plan)


def _steps_of_turn(step_s: float, turn_s: float, plan: str) -> int:
    at_once = Plan.parse(plan).group_steps
    return max(1, math.ceil(turn_s / step_s / at_once)) * at_once


if __name__ == "__main__":
    settle_in()
    serve(Connection(int(sys.argv[1])), Worker())
