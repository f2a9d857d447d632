"""A run's log for TensorBoard: sample images, the model's graph, losses and scores.

Nothing here may be called while the training clock runs: files are written, the model is traced.
"""

import io
import math
import re
import statistics
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from bench.spec.run_spec import RunSpec
from bench.train.live import Live
from bench.train.session import Session
from bench.train.training import Training
from data_pipeline import CLASS_NAMES, normalize
from fmnist_models.users.compiled import uncompiled
from fmnist_models.users.unchanged import unchanged
from results.render.formats import escape_markdown

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

MAX_SAMPLES = 16
MAX_POINTS = 1000  # of one pause: more are dear to write, and no screen shows them
EXPECTED_WARNINGS = (
    "`torch.jit.trace",  # deprecated, but all that the graphs of TensorBoard are made from
    "The input to trace is already a ScriptModule",  # on purpose, see `_add_graph`
)


@dataclass
class RunLog:
    """The log of one run, and how much of the training is in it so far.

    Each pause adds what is new since the last one; it is on disk when a method returns.
    """

    writer: "SummaryWriter"
    training: Training
    steps: int
    images_seen: int
    seconds: float
    num_points: int

    @classmethod
    def open(cls, session: Session, spec: RunSpec, live: Live, folder: Path) -> Self:
        """Begin the log of a run with sample images and the model's graph."""
        split = session.splits.train
        images = normalize(split.images[:MAX_SAMPLES], spec.recipe.normalize)
        labels = [CLASS_NAMES[label] for label in split.labels[:MAX_SAMPLES].tolist()]
        writer = begin_log(folder / folder_name(spec), live.learner.model, images, labels)
        training, trace = live.training, live.training.trace
        seconds = training.meters.seconds
        return cls(writer, training, trace.steps, trace.images_seen, seconds, len(trace.curve))

    def on_pause(self) -> None:
        """Write losses and rates of all new steps, their throughput, and new validations."""
        training, trace, writer = self.training, self.training.trace, self.writer
        if trace.steps > self.steps:
            new = slice(self.steps, trace.steps)
            add_steps(writer, self.steps + 1, trace.losses[new], trace.learning_rates[new])
            epoch = trace.images_seen / training.stream.images_per_epoch
            writer.add_scalar("train/epoch", epoch, trace.steps)
            seconds = training.meters.seconds - self.seconds
            if seconds > 0:
                rate = (trace.images_seen - self.images_seen) / seconds
                writer.add_scalar("train/images_per_s", rate, trace.steps)
        for point in trace.curve[self.num_points :]:
            writer.add_scalar("validation/accuracy", point.validation_accuracy, trace.steps)
            writer.add_scalar("validation/loss", point.validation_loss, trace.steps)
        writer.flush()
        self.steps, self.images_seen = trace.steps, trace.images_seen
        self.seconds, self.num_points = training.meters.seconds, len(trace.curve)


def folder_name(spec: RunSpec) -> str:
    """Return the folder of a run, readable in TensorBoard's list."""
    words = re.sub(r"[^A-Za-z0-9_.=+@-]+", "_", f"{spec.model[-60:]}-{spec.recipe.name[:100]}")
    return f"{words}-{spec.config_id}-{spec.seed}"


def begin_log(
    folder: Path, model: nn.Module, images: Tensor, labels: Sequence[str]
) -> "SummaryWriter":
    """Open the event files of a run with sample images and the graph of the model.

    The model, on any device, stays as it is. The images are (B, 1, S, S) float as it takes them, in
    any range, on any device.
    """
    from torch.utils.tensorboard import SummaryWriter  # as heavy as it is rarely asked for

    writer = SummaryWriter(str(folder))
    writer.add_image("samples/images", image_strip(images), 0)
    writer.add_text("samples/labels", ", ".join(labels), 0)
    failure = _add_graph(writer, model, images[:1])
    if failure:
        writer.add_text("model/no_graph", escape_markdown(failure), 0)  # a page of Markdown
    writer.flush()
    return writer


def add_steps(
    writer: "SummaryWriter",
    first_step: int,
    losses: Sequence[float],
    learning_rates: Sequence[float],
) -> None:
    """Add training loss and learning rate, one a step.

    Of more than 1,000 steps, neighbours are thrown together: their mean loss stands at the last of
    them, beside the learning rate of that step.
    """
    size = max(1, math.ceil(len(losses) / MAX_POINTS))
    for first in range(0, len(losses), size):
        end = min(first + size, len(losses))
        step = first_step + end - 1
        writer.add_scalar("train/loss", statistics.fmean(losses[first:end]), step)
        writer.add_scalar("train/learning_rate", learning_rates[end - 1], step)


def image_strip(images: Tensor) -> Tensor:
    """Put images (B, 1, S, S) side by side, (1, S, B S) in [0, 1], the darkest pixel black."""
    strip = torch.cat(list(images.detach().float().cpu()), dim=-1)
    darkest, brightest = strip.min(), strip.max()
    return (strip - darkest) / (brightest - darkest).clamp(min=1e-12)


def _add_graph(writer: "SummaryWriter", model: nn.Module, image: Tensor) -> str | None:
    """Add the graph of a model, or say why it has none: no run shall end for a picture.

    The model is traced here: the writer would run it three times more to check the trace, which
    takes 12 instead of 3 s of ResNet-50 (2-core AMD EPYC).
    """
    try:
        with unchanged(model), uncompiled(), _silent():
            model.eval()
            # not strict: a dict of several outputs is a picture, too
            traced = torch.jit.trace(model, image, check_trace=False, strict=False)
            writer.add_graph(traced, image)
    except Exception as error:  # whatever a model does that the tracer cannot follow
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


@contextmanager
def _silent() -> Iterator[None]:
    """Make no gradients, and keep what the tracer says from standard output."""
    with torch.no_grad(), redirect_stdout(io.StringIO()), warnings.catch_warnings():
        for message in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        # of branches in Python: the picture shows the one that was taken
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        yield
