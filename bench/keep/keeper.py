"""What a run leaves beside its record: saved models, TensorBoard's files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.keep.checkpoints import Checkpoints
from bench.keep.tensorboard import RunLog
from bench.measure.findings import Findings
from bench.spec.artifacts import Artifacts
from bench.spec.run_spec import RunSpec
from bench.train.live import Live
from bench.train.session import Session
from bench.train.training import Pauses

MAX_REASON_CHARS = 60  # a record is at most 4 KB


def begin_keeping(
    session: Session, spec: RunSpec, live: Live, artifacts: Artifacts, findings: Findings
) -> "Keeper":
    """Go on from a saved model that is there, and listen to the pauses of the training."""
    keeper = Keeper(live, findings)
    if artifacts.checkpoints is not None:
        keeper.checkpoints = Checkpoints(session, spec, live, artifacts)
        steps = keeper.checkpoints.go_on()
        if steps:
            findings.conditions["resumed_at_step"] = steps
            findings.flags.append("resumed")
            # generators of the other GPUs, and the scale of the gradients, are not kept
            is_parallel = session.plan is not None and session.plan.parallel == "dp"
            if is_parallel or spec.recipe.precision == "fp16":
                findings.flags.append("resumed_inexact")
        _add_pauses(live, keeper.checkpoints.pauses())
    if artifacts.tensorboard is not None:
        keeper.open_log(session, spec, artifacts.tensorboard)
        _add_pauses(live, Pauses(at_epochs=True))
    live.training.on_pause = keeper.on_pause
    return keeper


def _add_pauses(live: Live, pauses: Pauses) -> None:
    own = live.training.pauses
    live.training.pauses = Pauses(
        at_epochs=own.at_epochs or pauses.at_epochs,
        every_steps=own.every_steps or pauses.every_steps,
        every_s=own.every_s or pauses.every_s,
    )


@dataclass
class Keeper:
    """Saved models and TensorBoard's log of one run, each where it is asked for."""

    live: Live
    findings: Findings
    checkpoints: Checkpoints | None = None
    log: RunLog | None = None

    def open_log(self, session: Session, spec: RunSpec, folder: Path) -> None:
        """Begin the log for TensorBoard."""

        def begin() -> None:
            self.log = RunLog.open(session, spec, self.live, folder)

        self._tell(begin)

    def on_pause(self) -> None:
        """Save and log between two legs of the training."""
        if self.checkpoints:
            self._save(self.checkpoints.on_pause)
        if self.log:
            self._tell(self.log.on_pause)

    def close(self) -> None:
        """End the log after the last leg, or the one that failed."""
        # else the two hold each other, and with them a GPU's memory until cycles are collected
        self.live.training.on_pause = lambda: None
        if self.log:
            self._tell(self.log.writer.close)

    def end_training(self) -> None:
        """Save the last weights before the best ones take their place."""
        checkpoints = self.checkpoints
        if checkpoints and self.live.training.control:
            self._save(lambda: checkpoints.write_last({}))

    def end_run(self) -> None:
        """Save the weights that the final pass scored, with what it found."""
        checkpoints, control = self.checkpoints, self.live.training.control
        if checkpoints is None:
            return
        write = checkpoints.write_best if control and control.best else checkpoints.write_last

        def save_scored() -> None:
            path = write({"test_accuracy": self.findings.measurements["test_accuracy"].values[0]})
            self.findings.conditions["saved"] = f"{path.parent.name}/{path.name}"

        self._save(save_scored)

    def _tell(self, write: Callable[[], None]) -> None:
        """Write to the log; where it cannot be written, flag that and log no more."""
        try:
            write()
        except OSError as error:
            self.log = None
            self.findings.flags.append("tensorboard_failed")
            self.findings.conditions["tensorboard"] = _why(error)

    def _save(self, write: Callable[[], object]) -> None:
        """Save a model; where that fails, flag it once: the next time may go well."""
        try:
            write()
        except (UsageError, TypeError) as error:  # the latter: a state that is no tensor
            if "save_failed" not in self.findings.flags:
                self.findings.flags.append("save_failed")
            self.findings.conditions["save"] = _why(error.__cause__ or error)


def _why(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error))[:MAX_REASON_CHARS]
