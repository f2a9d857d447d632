"""Keeps what a run was asked to leave beside its record: saved models, TensorBoard's files."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.errors import UsageError
from bench.keep.checkpoints import Checkpoints
from bench.keep.run_log import RunLog
from bench.machine.environment import describe_environment
from bench.measure.findings import Findings
from bench.spec.artifacts import Artifacts
from bench.spec.run_spec import RunSpec
from bench.train.live import Live
from bench.train.session import Session
from bench.train.training import Pauses

MAX_REASON_CHARS = 60  # a record is at most 4 KB


@dataclass
class Keeper:
    """Keeps saved models and TensorBoard's log, each where it is asked for.

    Attributes:
        live: the training, and what its steps change.
        findings: of the run.
        checkpoints: saves models.
        log: tells TensorBoard.
    """

    live: Live
    findings: Findings
    checkpoints: Checkpoints | None = None
    log: RunLog | None = None

    def open_log(self, session: Session, spec: RunSpec, folder: Path) -> None:
        """Begins to tell TensorBoard."""

        def begin() -> None:
            self.log = RunLog.open(session, spec, self.live, folder)

        self._tell(begin)

    def on_pause(self) -> None:
        """Between two legs of the training."""
        if self.checkpoints:
            self._save(self.checkpoints.on_pause)
        if self.log:
            self._tell(self.log.on_pause)

    def close(self) -> None:
        """After the last leg, or the one that failed."""
        # else the two hold each other, and with them a GPU's memory until cycles are collected
        self.live.training.on_pause = lambda: None
        if self.log:
            self._tell(self.log.log.close)

    def _tell(self, write: Callable[[], None]) -> None:
        """A log that cannot be written ends no training; it is flagged, and no more is told."""
        try:
            write()
        except OSError as error:
            self.log = None
            self.findings.flags.append("tensorboard_failed")
            self.findings.conditions["tensorboard"] = _why(error)

    def _save(self, write: Callable[[], object]) -> None:
        """A model that cannot be saved ends no training either; the next time may go well."""
        try:
            write()
        except UsageError as error:
            if "save_failed" not in self.findings.flags:
                self.findings.flags.append("save_failed")
            self.findings.conditions["save"] = _why(error.__cause__ or error)

    def end_training(self) -> None:
        """Before the best weights take the place of the last ones."""
        if self.checkpoints and self.live.training.control:
            self._save(self.checkpoints.write_last)

    def end_run(self) -> None:
        """After the final pass: saves the weights that it scored, with what it found."""
        if self.checkpoints is not None:
            self._save(partial(self._save_scored, self.checkpoints))

    def _save_scored(self, checkpoints: Checkpoints) -> None:
        told = {"test_accuracy": self.findings.measurements["test_accuracy"].values[0]}
        control = self.live.training.control
        write = checkpoints.write_best if control and control.best else checkpoints.write_last
        path = write(told)
        self.findings.conditions["saved"] = f"{path.parent.name}/{path.name}"


def _why(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error))[:MAX_REASON_CHARS]


def begin_keeping(
    session: Session, spec: RunSpec, live: Live, artifacts: Artifacts, findings: Findings
) -> Keeper:
    """Goes on from a saved model that is there, and listens to the pauses of the training."""
    keeper = Keeper(live, findings)
    if artifacts.checkpoints is not None:
        assert session.plan is not None, "settled while preparing"
        keeper.checkpoints = Checkpoints(
            live,
            spec,
            session.plan,
            artifacts,
            input_size=session.splits.train.images.shape[-1],
            environment=describe_environment(session.device, session.splits.data_hash),
            is_pretrained=session.start is not None and session.start.is_pretrained,
        )
        _go_on(keeper.checkpoints, findings)
        _add_pauses(live, keeper.checkpoints.pauses())
    if artifacts.tensorboard is not None:
        keeper.open_log(session, spec, artifacts.tensorboard)
        _add_pauses(live, Pauses(at_epochs=True))
    live.training.on_pause = keeper.on_pause
    return keeper


def _go_on(checkpoints: Checkpoints, findings: Findings) -> None:
    steps = checkpoints.go_on()
    if steps:
        findings.conditions["resumed_at_step"] = steps
        findings.flags.append("resumed")
        has_more_state = checkpoints.plan.parallel == "dp"  # generators of the other GPUs
        if has_more_state or checkpoints.spec.recipe.precision == "fp16":  # scale of its gradients
            findings.flags.append("resumed_inexact")


def _add_pauses(live: Live, pauses: Pauses) -> None:
    own = live.training.pauses
    live.training.pauses = Pauses(
        at_epochs=own.at_epochs or pauses.at_epochs,
        every_steps=own.every_steps or pauses.every_steps,
        every_s=own.every_s or pauses.every_s,
    )
