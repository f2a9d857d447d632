"""Keeps what a run was asked to leave beside its record: saved models, TensorBoard's files."""

from dataclasses import dataclass

from bench.checkpoints import Checkpoints
from bench.findings import Findings
from bench.keep import Keep
from bench.resume import Live
from bench.run_log import RunLog
from bench.session import Session
from bench.spec import RunSpec
from bench.training import Pauses


@dataclass(frozen=True)
class Kept:
    """Both of them, where they are asked for.

    Attributes:
        live: the training, and what its steps change.
        checkpoints: saves models.
        log: tells TensorBoard.
    """

    live: Live
    checkpoints: Checkpoints | None = None
    log: RunLog | None = None

    def on_pause(self) -> None:
        """Between two legs of the training."""
        if self.checkpoints:
            self.checkpoints.on_pause()
        if self.log:
            self.log.on_pause()

    def close(self) -> None:
        """After the last leg, or the one that failed."""
        if self.log:
            self.log.log.close()

    def end_training(self) -> None:
        """Before the best weights take the place of the last ones."""
        if self.checkpoints and self.live.training.control:
            self.checkpoints.write_last()

    def end_run(self, findings: Findings) -> None:
        """After the final pass: saves the weights that it scored, with what it found."""
        if self.checkpoints is None:
            return
        told = {"test_accuracy": findings.measurements["test_accuracy"].values[0]}
        control = self.live.training.control
        if control and control.best:
            path = self.checkpoints.write_best(told)
        else:
            path = self.checkpoints.write_last(told)
        findings.conditions["saved"] = f"{path.parent.name}/{path.name}"


def begin_keeping(
    session: Session, spec: RunSpec, live: Live, keep: Keep, findings: Findings
) -> Kept:
    """Goes on from a saved model that is there, and listens to the pauses of the training."""
    checkpoints = log = None
    if keep.checkpoints is not None:
        assert session.plan is not None, "settled while preparing"
        checkpoints = Checkpoints(live, spec, session.plan, keep)
        _go_on(checkpoints, findings)
        _add_pauses(live, checkpoints.pauses())
    if keep.tensorboard is not None:
        log = RunLog.open(session, spec, live, keep.tensorboard)
        _add_pauses(live, Pauses(at_epochs=True))
    kept = Kept(live, checkpoints, log)
    live.training.on_pause = kept.on_pause
    return kept


def _go_on(checkpoints: Checkpoints, findings: Findings) -> None:
    steps = checkpoints.go_on()
    if steps:
        findings.conditions["resumed_at_step"] = steps
        findings.flags.append("resumed")


def _add_pauses(live: Live, pauses: Pauses) -> None:
    own = live.training.pauses
    live.training.pauses = Pauses(
        at_epochs=own.at_epochs or pauses.at_epochs,
        every_steps=own.every_steps or pauses.every_steps,
        every_s=own.every_s or pauses.every_s,
    )
