"""How training steps are executed: what engines share, and those that take a step at a time.

    Training.run             hands over a chunk: index tensors and learning rates, one a step
      └ engine.run           executes it and returns the losses
          StepEngine           a step a call: eager, or with forward and backward compiled
          LoaderEngine         the same steps on batches from torch's DataLoader
          GroupEngine          K steps a call, each group as
            WholeStep            one compiled function (plan step:K), or
            GraphSteps           the replay of a CUDA graph (plan graph:K) of either kind of step

The augmentation is drawn outside of whatever is compiled or captured (`Feed.draw`), from one
generator and in one order under every plan; gathering and augmenting (`Feed.gather`) is a pure
function of the draw. So all engines train alike, and `maker.py` may pick any for a plan.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from bench.errors import RunError
from bench.spec.recipe import Recipe
from data_pipeline import (
    Augmentation,
    ImageDataset,
    LoaderStream,
    ResidentSplit,
    apply_augmentations,
    draw_augmentations,
    normalize,
)
from fmnist_models.logits import NUM_CLASSES, describe_output, main_logits

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
Drawn: TypeAlias = tuple[Tensor, ...]
"""The random draws of each augmentation for one batch."""
Batches: TypeAlias = Sequence[Tensor]
"""Index tensors (B,) int64 into the training split, on its device, one a step."""
Rates: TypeAlias = Sequence[float]
"""Learning rates or momenta, one a step."""
LossFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(images, labels) -> scalar loss."""


class Engine(Protocol):
    """What runs training steps, a chunk a call."""

    group_steps: int
    """Steps that it runs in one call of Python; chunks may be of any length."""

    def run(self, batches: Batches, learning_rates: Rates, momenta: Rates | None = None) -> Tensor:
        """Take one optimizer step for each batch; return the losses, (len(batches),) on the host.

        On CUDA their copy may still be under way; it is complete once a later mark of the clock
        has been reached. Momenta are of SGD, where the recipe cycles it; None leaves it as it is.
        """

    def reset(self) -> None:
        """Undo what untimed steps have left in the engine itself."""


@dataclass(frozen=True)
class Feed:
    """The source of batches on the device, which it makes from index tensors."""

    split: ResidentSplit
    augmentations: tuple[Augmentation, ...]  # applied in this order to uint8 images
    normalization: str
    generator: torch.Generator  # draws the augmentation; lives on the device of the split
    memory_format: torch.memory_format
    dtype: torch.dtype = torch.float32

    def draw(self, batch_size: int) -> Drawn:
        """Draw the random part of one batch; compiled and captured steps keep it outside."""
        images = self.split.images
        return draw_augmentations(
            self.augmentations, batch_size, images.shape[-1], self.generator, images.device
        )

    def gather(
        self, images: Tensor, labels: Tensor, index: Tensor, drawn: Drawn
    ) -> tuple[Tensor, Tensor]:
        """Return images (B, 1, S, S) and labels (B,) int64, a pure function of the arguments.

        Args:
            images: (N, 1, S, S) uint8, all of the split.
            labels: (N,) int64.
            index: (B,) int64.
            drawn: what `draw` gave for this batch.
        """
        batch = apply_augmentations(images.index_select(0, index), self.augmentations, drawn)
        # .to, not .contiguous: with one channel the latter takes NCHW for NHWC and does nothing
        batch = normalize(batch, self.normalization, self.dtype).to(
            memory_format=self.memory_format
        )
        return batch, labels.index_select(0, index)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return images (B, 1, S, S) and labels (B,) int64, augmented by a fresh draw."""
        return self.gather(self.split.images, self.split.labels, index, self.draw(len(index)))


def autocast(precision: str, device_type: str) -> AbstractContextManager[object]:
    """Return the autocast context of a precision; none for fp32 and tf32."""
    if precision not in AUTOCAST:
        return nullcontext()
    return torch.autocast(device_type, dtype=AUTOCAST[precision], cache_enabled=False)


def loss_function(model: Callable[..., object], recipe: Recipe, device_type: str) -> LossFunction:
    """Return forward pass and mean cross-entropy, in float32 at least, as one function.

    Of a model with auxiliary heads it is the loss of the main logits alone. The loss function
    raises RunError (`crashed`) where there are no logits (B, 10), of which cross-entropy would make
    an obscure error, or none at all.
    """

    def loss_of(images: Tensor, labels: Tensor) -> Tensor:
        with autocast(recipe.precision, device_type):
            output = model(images)
        logits = logits_of(output, len(labels), "training")
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)

    return loss_of


def logits_of(output: object, num_images: int, phase: str) -> Tensor:
    """Return the main logits (B, 10) in the output of a model.

    Raises:
        RunError: `crashed`, there are none; says in which phase, `training` or `evaluation`.
    """
    logits = main_logits(output, num_images)
    if logits is None:
        found, wanted = describe_output(output), (num_images, NUM_CLASSES)
        raise RunError("crashed", f"in {phase} the model returns {found}, not {wanted}")
    return logits


@dataclass(eq=False)
class StepEngine:
    """An engine that runs a step a call of Python: eager, or with forward and backward compiled."""

    model: nn.Module  # on the device, in the plan's memory format
    optimizer: optim.Optimizer
    feed: Feed
    loss_of: LossFunction
    precision: str
    around_chunk: Callable[[], AbstractContextManager[None]] = nullcontext
    scaler: torch.amp.GradScaler | None = field(default=None, init=False)  # of fp16 alone
    group_steps = 1

    def __post_init__(self) -> None:
        if self.precision == "fp16":
            self.scaler = torch.amp.GradScaler(self.feed.split.images.device.type)

    def run(self, batches: Batches, learning_rates: Rates, momenta: Rates | None = None) -> Tensor:
        """Take one optimizer step for each batch; see `Engine.run`."""
        own_momenta: Sequence[float | None] = momenta or [None] * len(batches)
        steps = zip(batches, learning_rates, own_momenta, strict=True)
        with self.around_chunk():
            losses = [self.update(*self.feed.batch(index), rate, own) for index, rate, own in steps]
        return torch.stack(losses).to("cpu", non_blocking=True)

    def reset(self) -> None:
        """Reset the gradient scaler to its first scale, in place: a graph may hold it."""
        if self.scaler is not None:
            fresh = torch.amp.GradScaler(self.feed.split.images.device.type)
            self.scaler.load_state_dict(fresh.state_dict())

    @torch.enable_grad()
    def advance(self, index: Tensor, drawn: Drawn, rate: Tensor) -> Tensor:
        """Take one step to be captured, with a rate () on the device; return its loss ()."""
        split = self.feed.split
        return self.update(*self.feed.gather(split.images, split.labels, index, drawn), rate)

    def update(
        self,
        images: Tensor,
        labels: Tensor,
        learning_rate: float | Tensor,
        momentum: float | None = None,
    ) -> Tensor:
        """Take one optimizer step on a batch; return its loss (), on the device."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
            if momentum is not None:
                group["momentum"] = momentum
        self.optimizer.zero_grad()  # before the forward pass: old gradients could raise peak memory
        loss = self.loss_of(images, labels)
        if self.scaler is None:
            loss.backward()
            self.optimizer.step()
        else:
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        return loss.detach()


class LoaderEngine:
    """The loop that everybody writes, as a yardstick: plan `dataloader`.

    It takes batches from a DataLoader, copies them to the device, and reads the loss of each step.
    The order and the draws of the augmentation are those of every other plan.
    """

    group_steps = 1

    def __init__(self, steps: StepEngine) -> None:
        self.steps = steps
        self.model, self.optimizer, self.feed = steps.model, steps.optimizer, steps.feed
        self.device = self.feed.split.images.device
        self.reset = steps.reset
        dataset = ImageDataset(self.feed.split, self.feed.augmentations, self.feed.normalization)
        self.stream = LoaderStream(dataset, self.device)

    def run(self, batches: Batches, learning_rates: Rates, momenta: Rates | None = None) -> Tensor:
        """Take one optimizer step for each batch; see `Engine.run`."""
        drawn = [self.feed.draw(len(index)) for index in batches]
        loaded = self.stream.batches(batches, drawn)
        own_momenta: Sequence[float | None] = momenta or [None] * len(batches)
        steps = zip(loaded, learning_rates, own_momenta, strict=True)
        with self.steps.around_chunk():
            losses = [self._step(*batch, rate, own) for batch, rate, own in steps]
        return torch.tensor(losses)

    def _step(self, images: Tensor, labels: Tensor, rate: float, momentum: float | None) -> float:
        to, memory_format = self.device, self.feed.memory_format
        images = images.to(to, self.feed.dtype, non_blocking=True, memory_format=memory_format)
        labels = labels.to(to, non_blocking=True)
        return float(self.steps.update(images, labels, rate, momentum).item())
