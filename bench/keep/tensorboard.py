"""Writes a run for TensorBoard: sample images, the model's graph, losses and scores.

Nothing here may be called while the training clock runs: files are written, the model is traced.
"""

import copy
import io
import math
import statistics
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

MAX_SAMPLES = 16
MAX_POINTS = 1000  # of one call of `log_steps`: more are dear to write, and no screen shows them
EXPECTED_WARNINGS = (
    "`torch.jit.trace",  # deprecated, but all that the graphs of TensorBoard are made from
    "The input to trace is already a ScriptModule",  # on purpose, see `_add_graph`
)


@dataclass
class TensorBoardLog:
    """The event files of one run; everything is on disk when a method returns.

    Attributes:
        writer: torch's own.
        graph_failure: why the model has no graph in it; None where it has.
    """

    writer: "SummaryWriter"
    graph_failure: str | None = None

    @classmethod
    def open(cls, folder: Path, model: nn.Module, images: Tensor, labels: Sequence[str]) -> Self:
        """Begins a log with sample images and the graph of the model, which stays as it is.

        Args:
            folder: of this run alone; made if need be.
            model: on any device; a copy on the CPU is traced, in eval mode.
            images: (B, 1, S, S) float as the model takes them, in any range, on any device; the
                first 16 are shown.
            labels: a word for each image.
        """
        # as heavy as it is rarely asked for
        from torch.utils.tensorboard import SummaryWriter

        log = cls(SummaryWriter(str(folder)))
        log.writer.add_image("samples/images", image_strip(images[:MAX_SAMPLES]), 0)
        log.writer.add_text("samples/labels", ", ".join(labels[:MAX_SAMPLES]), 0)
        log.graph_failure = _add_graph(log.writer, model, images[:1])
        if log.graph_failure:
            log.writer.add_text("model/no_graph", log.graph_failure, 0)
        log.writer.flush()
        return log

    def log_steps(
        self, first_step: int, losses: Sequence[float], learning_rates: Sequence[float]
    ) -> None:
        """Training loss and learning rate by step.

        Of more than 1,000 steps, neighbours are thrown together: their mean loss stands at the last
        of them, beside the learning rate of that step.

        Args:
            first_step: number of the first of these steps.
            losses: one a step.
            learning_rates: one a step.

        Raises:
            ValueError: not as many losses as learning rates.
        """
        if len(losses) != len(learning_rates):
            raise ValueError(f"{len(losses)} losses and {len(learning_rates)} learning rates")
        size = max(1, math.ceil(len(losses) / MAX_POINTS))
        for first in range(0, len(losses), size):
            end = min(first + size, len(losses))
            step = first_step + end - 1
            self.writer.add_scalar("train/loss", statistics.fmean(losses[first:end]), step)
            self.writer.add_scalar("train/learning_rate", learning_rates[end - 1], step)
        self.writer.flush()

    def log_epoch(self, step: int, scalars: Mapping[str, float]) -> None:
        """Figures of an epoch, such as `validation/accuracy`, at the step that ended it."""
        for tag, value in scalars.items():
            self.writer.add_scalar(tag, value, step)
        self.writer.flush()

    def close(self) -> None:
        """Ends the log; nothing can be written any more."""
        self.writer.close()


def image_strip(images: Tensor) -> Tensor:
    """Images (B, 1, S, S) side by side, (1, S, B S) in [0, 1], the darkest pixel black."""
    strip = torch.cat(list(images.detach().float().cpu()), dim=-1)
    darkest, brightest = strip.min(), strip.max()
    return (strip - darkest) / (brightest - darkest).clamp(min=1e-12)


def _add_graph(writer: "SummaryWriter", model: nn.Module, image: Tensor) -> str | None:
    """Writes the graph of a model, or says why it has none: no run shall end for a picture.

    The model is traced here: the writer would run it three times more to check the trace, which
    takes 12 instead of 3 s of ResNet-50 (2-core AMD EPYC).
    """
    try:
        with _undisturbed():
            # a copy: tracing in eval mode would leave parts that train apart in another mode
            own = copy.deepcopy(model).cpu().eval()
            example = image.detach().cpu()
            writer.add_graph(torch.jit.trace(own, example, check_trace=False), example)
    except Exception as error:  # whatever a model does that the tracer cannot follow
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Puts random states back, and keeps what the tracer says from standard output."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with (
        torch.random.fork_rng(devices),
        torch.no_grad(),
        redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        for message in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        # of branches in Python: the picture shows the one that was taken
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        yield
