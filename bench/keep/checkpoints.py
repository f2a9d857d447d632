"""Saved models of a run: the last, to go on from and to use, and the best by validation."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from bench.engine.failures import classify
from bench.errors import RunError, UsageError
from bench.keep.saved_model import SavedModel, read_saved, read_whole, saved_model_of, write_saved
from bench.spec.artifacts import Artifacts
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec
from bench.train.live import Live, restore, state_of
from bench.train.training import Pauses
from data_pipeline.sources.files import remove_parts

LAST, BEST = "last", "best"


@dataclass
class Checkpoints:
    """Writes and reads the saved models of one seed.

    Attributes:
        live: the training, and what its steps change.
        spec: of the run.
        plan: that executes it.
        artifacts: where they lie, and how often one is written.
        input_size: pixels a side of the images.
        environment: that a training cannot leave, data hash included.
        is_pretrained: whether it began with weights of another training.
    """

    live: Live
    spec: RunSpec
    plan: Plan
    artifacts: Artifacts
    input_size: int
    environment: Mapping[str, Any]
    is_pretrained: bool
    _steps: int = field(default=0, init=False)  # and seconds, when the last was written
    _seconds: float = field(default=0.0, init=False)
    _best: tuple[float, ...] | None = field(default=None, init=False)

    def pauses(self) -> Pauses:
        """Where the training must stop for a checkpoint."""
        every = self.artifacts.every
        if every.unit == "steps":
            return Pauses(every_steps=int(every.amount))
        return Pauses(at_epochs=True) if every.unit == "epochs" else Pauses(every_s=every.amount)

    def go_on(self) -> int | None:
        """Goes on where an earlier try of the same run was; its steps, None where there is none.

        Raises:
            RunError: the file is not of this run (`crashed`).
        """
        self._remove_parts()
        path = path_of(self.artifacts, self.spec, LAST)
        if path is None or not path.exists():
            return None
        try:
            saved, state = read_whole(path)
        except UsageError as error:
            raise RunError("crashed", f"{error}; delete it to begin anew") from None
        if state is None:
            return None
        self._check_same(path, saved.trained)
        self._restore(path, saved.weights, state)
        training = self.live.training
        self._steps, self._seconds = training.trace.steps, training.meters.seconds
        return self._steps

    def _remove_parts(self) -> None:
        """Of tries that were killed while they saved."""
        for which in (LAST, BEST):
            path = path_of(self.artifacts, self.spec, which)
            assert path is not None, "made only where something is to be kept"
            remove_parts(path)

    def _restore(self, path: Path, weights: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        try:
            restore(self.live, weights, state)
        except Exception as error:  # whatever the file holds instead
            status, reason = classify(error)
            if status == "out_of_memory":
                raise
            what = f"{path} cannot be gone on from ({reason})"
            raise RunError("crashed", f"{what}; delete it to begin anew") from error

    def _check_same(self, path: Path, trained: Mapping[str, Any]) -> None:
        """Refuses to go on elsewhere, on other data or from another start."""
        own = {**self.environment, "pretrained": self.is_pretrained}
        for key, value in own.items():
            if (then := {**trained.get("environment", {}), **trained}.get(key)) != value:
                raise RunError(
                    "crashed",
                    f"{path} was saved with {key} {then}, and here it is {value}; go on where it "
                    "was saved, or delete it to begin anew",
                )

    def on_pause(self) -> None:
        """Writes the last, and the best where it is new, if it is time to.

        The end of a training may be a pause of two kinds; it is written once.

        Raises:
            UsageError: a file cannot be written; the one before stays, the next pause tries again.
        """
        training = self.live.training
        if training.trace.steps != self._steps and self._is_due():
            self._steps, self._seconds = training.trace.steps, training.meters.seconds
            self.write_last()
            self._write_new_best()

    def write_last(self, told: Mapping[str, Any] | None = None) -> Path:
        """Writes the model as it is, with all that going on takes; gives the file.

        Raises:
            UsageError: it cannot be written; the one before stays.
        """
        saved = self._saved(LAST, told or {})
        return self._write(LAST, saved, state_of(self.live))

    def write_best(self, told: Mapping[str, Any]) -> Path:
        """Writes the best weights, and what the final pass has told of them; gives the file.

        Raises:
            UsageError: it cannot be written; the one before stays.
        """
        control = self.live.training.control
        assert control is not None, "only a control has best weights"
        assert control.best is not None, "asked before"
        saved = self._saved(BEST, {"epoch": control.best.epoch, **told})
        names = set(saved.weights)
        weights = {name: w for name, w in control.best_weights().items() if name in names}
        return self._write(BEST, replace(saved, weights=weights))

    def _write_new_best(self) -> None:
        control = self.live.training.control
        best = control.best if control else None
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

    def _saved(self, which: str, told: Mapping[str, Any]) -> SavedModel:
        training, control = self.live.training, self.live.training.control
        trained = {
            "which": which,
            "protocol": self.spec.recipe.protocol,
            "budget": str(self.spec.budget),
            "seed": self.spec.seed,
            "plan": str(self.plan),
            "environment": dict(self.environment),
            "pretrained": self.is_pretrained,
            "steps": training.trace.steps,
            "epoch": training.trace.images_seen / training.stream.images_per_epoch,
            "best": None if control is None or control.best is None else control.best._asdict(),
        }
        return saved_model_of(
            self.live.model,
            name=self.spec.model,
            recipe=self.spec.recipe,
            trained=trained | dict(told),
            model_hash=self.spec.model_hash,
            input_size=self.input_size,
        )

    def _write(
        self, which: str, saved: SavedModel, resume: Mapping[str, Any] | None = None
    ) -> Path:
        path = path_of(self.artifacts, self.spec, which)
        assert path is not None, "made only where something is to be kept"
        write_saved(path, saved, resume)
        return path


def path_of(artifacts: Artifacts, spec: RunSpec, which: str) -> Path | None:
    """The file of a run's `last` or `best` model; None where none is kept."""
    if artifacts.checkpoints is None:
        return None
    return artifacts.checkpoints / f"{spec.config_id}-{spec.seed}-{which}.pt"


def plan_gone_on_with(artifacts: Artifacts, spec: RunSpec) -> Plan | None:
    """The plan of an earlier try of the same run: a probe might come to another one."""
    path = path_of(artifacts, spec, LAST)
    if path is None or not path.exists():
        return None
    try:
        return Plan.parse(str(read_saved(path).trained["plan"]))
    except (UsageError, KeyError) as error:
        raise RunError("crashed", f"{path}: {error}; delete it to begin anew") from None
