"""Saved models of a run: the last, to go on from and to use, and the best by validation."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.engine.failures import classify
from bench.errors import RunError, UsageError
from bench.keep.saved_model import SavedModel, read_saved, read_whole, saved_model_of, write_saved
from bench.machine.environment import describe_environment
from bench.spec.artifacts import Artifacts
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec
from bench.train.live import Live, restore, state_of
from bench.train.session import Session
from bench.train.training import Pauses
from data_pipeline.sources.files import remove_parts
from fmnist_models import ModelError

LAST, BEST = "last", "best"


def path_of(artifacts: Artifacts, spec: RunSpec, which: str) -> Path:
    """Return the file of a run's `last` or `best` model."""
    assert artifacts.checkpoints is not None, "asked only where models are to be kept"
    return artifacts.checkpoints / f"{spec.config_id}-{spec.seed}-{which}.pt"


def plan_gone_on_with(artifacts: Artifacts, spec: RunSpec) -> Plan | None:
    """Return the plan of an earlier try of the same run: a probe might come to another one."""
    if artifacts.checkpoints is None or not path_of(artifacts, spec, LAST).exists():
        return None
    path = path_of(artifacts, spec, LAST)
    try:
        return Plan.parse(str(read_saved(path).trained["plan"]))
    except (ModelError, UsageError, KeyError) as error:
        raise RunError("crashed", f"{path}: {error}; delete it to begin anew") from None


@dataclass
class Checkpoints:
    """The saved models of one seed: writes them, and goes on from the last."""

    session: Session
    spec: RunSpec
    live: Live
    artifacts: Artifacts
    _steps: int = field(default=0, init=False)  # and seconds, when the last was written
    _seconds: float = field(default=0.0, init=False)
    _best: tuple[float, ...] | None = field(default=None, init=False)

    @cached_property
    def bound_to(self) -> dict[str, Any]:
        """What must be the same to go on: environment, data hash, whether it began pretrained."""
        session = self.session
        is_pretrained = session.start is not None and session.start.is_pretrained
        environment = describe_environment(session.device, session.splits.data_hash)
        return {"environment": environment, "pretrained": is_pretrained}

    def pauses(self) -> Pauses:
        """Return where the training must stop for a checkpoint."""
        every = self.artifacts.every
        if every.unit == "steps":
            return Pauses(every_steps=int(every.amount))
        return Pauses(at_epochs=True) if every.unit == "epochs" else Pauses(every_s=every.amount)

    def go_on(self) -> int | None:
        """Go on where an earlier try of the same run was; return its steps, None without one.

        Raises:
            RunError: the file is not of this run (`crashed`).
        """
        for which in (LAST, BEST):  # of tries that were killed while they saved
            remove_parts(path_of(self.artifacts, self.spec, which))
        path = path_of(self.artifacts, self.spec, LAST)
        if not path.exists():
            return None
        try:
            saved, state = read_whole(path)
        except ModelError as error:
            raise RunError("crashed", f"{error}; delete it to begin anew") from None
        if state is None:
            return None
        self._check_same(path, saved.trained)
        try:
            restore(self.live, saved.weights, state)
        except Exception as error:  # whatever the file holds instead
            status, reason = classify(error)
            if status == "out_of_memory":
                raise
            what = f"{path} cannot be gone on from ({reason})"
            raise RunError("crashed", f"{what}; delete it to begin anew") from error
        training = self.live.training
        self._steps, self._seconds = training.trace.steps, training.meters.seconds
        return self._steps

    def _check_same(self, path: Path, trained: Mapping[str, Any]) -> None:
        """Refuse to go on elsewhere, on other data or from another start."""
        own = {**self.bound_to["environment"], "pretrained": self.bound_to["pretrained"]}
        for key, value in own.items():
            if (then := {**trained.get("environment", {}), **trained}.get(key)) != value:
                raise RunError(
                    "crashed",
                    f"{path} was saved with {key} {then}, and here it is {value}; go on where it "
                    "was saved, or delete it to begin anew",
                )

    def on_pause(self) -> None:
        """Write the last, and the best where it is new, if it is time to.

        The end of a training may be a pause of two kinds; it is written once.

        Raises:
            UsageError: a file cannot be written; the one before stays, the next pause tries again.
        """
        training = self.live.training
        if training.trace.steps == self._steps or not self._is_due():
            return
        self._steps, self._seconds = training.trace.steps, training.meters.seconds
        self.write_last({})
        best = training.control.best if training.control else None
        if best is not None and best != self._best:
            self.write_best({})
            self._best = best

    def _is_due(self) -> bool:
        every, training = self.artifacts.every, self.live.training
        if every.unit == "steps":
            return training.trace.steps % int(every.amount) == 0
        if every.unit == "s":
            return training.meters.seconds - self._seconds >= every.amount
        is_epoch_end = training.stream.remaining == training.stream.steps_per_epoch
        return is_epoch_end and training.stream.epoch % int(every.amount) == 0

    def write_last(self, told: Mapping[str, Any]) -> Path:
        """Write the model as it is, with all that going on takes; return the file.

        Raises:
            UsageError: it cannot be written; the one before stays.
        """
        path = path_of(self.artifacts, self.spec, LAST)
        write_saved(path, self._saved(LAST, told), state_of(self.live))
        return path

    def write_best(self, told: Mapping[str, Any]) -> Path:
        """Write the best weights, with what the final pass found; return the file.

        Raises:
            UsageError: it cannot be written; the one before stays.
        """
        control = self.live.training.control
        assert control is not None, "only a control has best weights"
        assert control.best is not None, "asked before"
        saved = self._saved(BEST, {"epoch": control.best.epoch, **told})
        best = control.best_weights()
        weights = {name: w for name, w in best.items() if name in saved.weights}
        path = path_of(self.artifacts, self.spec, BEST)
        write_saved(path, replace(saved, weights=weights))
        return path

    def _saved(self, which: str, told: Mapping[str, Any]) -> SavedModel:
        training, control = self.live.training, self.live.training.control
        trained = {
            "which": which,
            "protocol": self.spec.recipe.protocol,
            "budget": str(self.spec.budget),
            "seed": self.spec.seed,
            "plan": str(self.session.plan),
            **self.bound_to,
            "steps": training.trace.steps,
            "epoch": training.trace.images_seen / training.stream.images_per_epoch,
            "best": None if control is None or control.best is None else control.best._asdict(),
        }
        return saved_model_of(
            self.live.learner.model,
            name=self.spec.model,
            recipe=self.spec.recipe,
            trained=trained | dict(told),
            model_hash=self.spec.model_hash,
            model_files=self.spec.model_files,
            input_size=self.session.splits.train.images.shape[-1],
        )
