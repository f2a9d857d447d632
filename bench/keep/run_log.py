"""What a training tells TensorBoard, at its pauses: off the clock."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.keep.tensorboard import MAX_SAMPLES, TensorBoardLog
from bench.spec.run_spec import RunSpec
from bench.train.live import Live
from bench.train.session import Session
from bench.train.training import Training
from data_pipeline import CLASS_NAMES, normalize


@dataclass
class RunLog:
    """Hands over what is new since the last pause.

    Attributes:
        log: the event files of this run.
        training: the training that pauses.
        steps: optimizer updates handed over so far.
        images_seen: images of these.
        seconds: training seconds of these.
        num_points: points of the curve handed over so far.
    """

    log: TensorBoardLog
    training: Training
    steps: int
    images_seen: int
    seconds: float
    num_points: int

    @classmethod
    def open(cls, session: Session, spec: RunSpec, live: Live, folder: Path) -> Self:
        """Begins the log of a run with sample images and the model's graph."""
        split = session.splits.train
        images = normalize(split.images[:MAX_SAMPLES], spec.recipe.normalize)
        labels = [CLASS_NAMES[label] for label in split.labels[:MAX_SAMPLES].tolist()]
        log = TensorBoardLog.open(folder / folder_name(spec), live.model, images, labels)
        training, trace = live.training, live.training.trace
        seconds = training.meters.seconds
        return cls(log, training, trace.steps, trace.images_seen, seconds, len(trace.curve))

    def on_pause(self) -> None:
        """Losses and rates of all new steps, throughput of the new stretch, new validations."""
        training, trace = self.training, self.training.trace
        if trace.steps > self.steps:
            new = slice(self.steps, trace.steps)
            self.log.log_steps(self.steps + 1, trace.losses[new], trace.learning_rates[new])
            seconds = training.meters.seconds - self.seconds
            scalars = {"train/epoch": trace.images_seen / training.stream.images_per_epoch}
            if seconds > 0:
                images = trace.images_seen - self.images_seen
                scalars["train/images_per_s"] = images / seconds
            self.log.log_epoch(trace.steps, scalars)
        for point in trace.curve[self.num_points :]:
            scores = {
                "validation/accuracy": point.validation_accuracy,
                "validation/loss": point.validation_loss,
            }
            self.log.log_epoch(trace.steps, scores)
        self.steps, self.images_seen = trace.steps, trace.images_seen
        self.seconds, self.num_points = training.meters.seconds, len(trace.curve)


def folder_name(spec: RunSpec) -> str:
    """A folder for a run, readable in TensorBoard's list."""
    words = re.sub(r"[^A-Za-z0-9_.=+@-]+", "_", f"{spec.model[-60:]}-{spec.recipe.name[:100]}")
    return f"{words}-{spec.config_id}-{spec.seed}"
