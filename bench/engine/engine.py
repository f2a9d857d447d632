"""The engine: executes training steps as the plan says, a chunk of steps a call.

A chunk is the unit at this seam so that an engine may run several steps in one compiled function or
one CUDA graph: whoever calls gives index tensors and learning rates, and gets the losses. This
module has what all engines share and the one that takes a step at a time; `group_engine.py` has
those that take several.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from bench.errors import RunError
from bench.spec.plan import Plan
from bench.spec.recipe import Recipe
from data_pipeline import (
    Augmentation,
    ResidentSplit,
    apply_augmentations,
    draw_augmentations,
    normalize,
)

NUM_CLASSES = 10
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
MEMORY_FORMATS = {
    "contiguous": torch.contiguous_format,
    "channels_last": torch.channels_last,
}
Drawn: TypeAlias = tuple[Tensor, ...]
"""What each augmentation drew for one batch."""
LossFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(images, labels) -> scalar loss."""
Momentum: TypeAlias = Sequence[float] | float | None
"""Of SGD: one a step, one for a whole chunk, or what the optimizer has."""


class Engine(Protocol):
    """Runs training steps."""

    group_steps: int
    """Steps that it runs in one call of Python; chunks may be of any length."""

    def run(
        self,
        batches: Sequence[Tensor],
        learning_rates: Sequence[float],
        momentum: Momentum = None,
    ) -> Tensor:
        """One optimizer step for each batch.

        Args:
            batches: index tensors (B,) int64 into the training split, on the device.
            learning_rates: one a batch.
            momentum: of SGD, which stays for what comes after; None leaves it. One a step where
                it cycles: how many steps make a chunk depends on the clock.

        Returns:
            The losses, (len(batches),) float32 on the host; on CUDA the copy may still be under
            way and is complete once a later mark of the clock has been reached.
        """

    def reset(self) -> None:
        """Forgets what untimed steps have left in the engine itself."""


@dataclass(frozen=True)
class Feed:
    """Makes batches on the device from index tensors.

    Attributes:
        split: the resident training images and labels.
        augmentations: applied in this order to uint8 images.
        normalization: a name in `data_pipeline.NORMALIZATIONS`.
        generator: draws the augmentation; lives on the device of the split.
        memory_format: strides of the images handed to the model.
        dtype: of those images.
    """

    split: ResidentSplit
    augmentations: tuple[Augmentation, ...]
    normalization: str
    generator: torch.Generator
    memory_format: torch.memory_format
    dtype: torch.dtype = torch.float32

    def draw(self, batch_size: int) -> Drawn:
        """The random part of one batch; compiled and captured steps keep it outside."""
        images = self.split.images
        return draw_augmentations(
            self.augmentations, batch_size, images.shape[-1], self.generator, images.device
        )

    def gather(
        self, images: Tensor, labels: Tensor, index: Tensor, drawn: Drawn
    ) -> tuple[Tensor, Tensor]:
        """Images (B, 1, S, S) and labels (B,) int64, a pure function of its arguments.

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
        """Images (B, 1, S, S) and labels (B,) int64, augmented by a fresh draw."""
        return self.gather(self.split.images, self.split.labels, index, self.draw(len(index)))


def autocast(precision: str, device_type: str) -> AbstractContextManager[object]:
    """The autocast context of a precision; none for fp32 and tf32."""
    if precision not in AUTOCAST:
        return nullcontext()
    return torch.autocast(device_type, dtype=AUTOCAST[precision], cache_enabled=False)


def loss_function(model: Callable[..., Tensor], recipe: Recipe, device_type: str) -> LossFunction:
    """Forward pass and mean cross-entropy: (images, labels) -> scalar, float32 at least."""

    def loss_of(images: Tensor, labels: Tensor) -> Tensor:
        with autocast(recipe.precision, device_type):
            logits = model(images)
        check_logits(logits, len(labels))
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)

    return loss_of


def check_logits(logits: object, num_images: int) -> None:
    """Refuses what is no logits; a loss would make an obscure error of it, or none at all.

    Raises:
        RunError: `crashed`.
    """
    shape, wanted = tuple(check_tensor(logits).shape), (num_images, NUM_CLASSES)
    if shape != wanted:
        raise RunError("crashed", f"in training the model returns shape {shape}, not {wanted}")


def check_tensor(output: object) -> Tensor:
    """The output of a model, if it is a tensor.

    Raises:
        RunError: `crashed`; auxiliary outputs in training make a tuple, for example.
    """
    if not isinstance(output, Tensor):
        name = type(output).__name__
        raise RunError("crashed", f"in training the model returns a {name}, not a tensor")
    return output


class StepEngine:
    """One step a call of Python: eager, or with forward and backward compiled.

    Args:
        model: already on the device, in the plan's memory format.
        optimizer: over its trainable parameters.
        feed: makes the batches.
        loss_of: (images, labels) -> scalar loss; compiled or not.
        precision: fp16 adds a gradient scaler, the others need none.
    """

    group_steps = 1

    def __init__(
        self,
        model: nn.Module,
        optimizer: optim.Optimizer,
        feed: Feed,
        loss_of: LossFunction,
        precision: str,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.feed = feed
        self.loss_of = loss_of
        device_type = feed.split.images.device.type
        self.scaler = torch.amp.GradScaler(device_type) if precision == "fp16" else None

    def run(
        self,
        batches: Sequence[Tensor],
        learning_rates: Sequence[float],
        momentum: Momentum = None,
    ) -> Tensor:
        """One optimizer step for each batch; see `Engine.run`."""
        steps = zip(batches, learning_rates, one_a_step(momentum, len(batches)), strict=True)
        losses = [self.update(*self.feed.batch(index), rate, own) for index, rate, own in steps]
        return torch.stack(losses).to("cpu", non_blocking=True)

    def reset(self) -> None:
        """Gives the gradient scaler its first scale again, in place: a graph may hold it."""
        if self.scaler is not None:
            fresh = torch.amp.GradScaler(self.feed.split.images.device.type)
            self.scaler.load_state_dict(fresh.state_dict())

    def update(
        self,
        images: Tensor,
        labels: Tensor,
        learning_rate: float | Tensor,
        momentum: float | None = None,
    ) -> Tensor:
        """One optimizer step on a batch; gives its loss, a scalar on the device."""
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


def one_a_step(momentum: Momentum, num_steps: int) -> Sequence[float | None]:
    """The momentum of each of so many steps; None where it stays as it is."""
    return momentum if isinstance(momentum, Sequence) else [momentum] * num_steps


def make_loss(
    model: nn.Module, recipe: Recipe, plan: Plan, device_type: str, backend: str = "inductor"
) -> LossFunction:
    """The loss of a plan: DataParallel around the model, or torch.compile around the whole."""
    wrapped = nn.DataParallel(model) if plan.parallel == "dp" else model
    loss_of = loss_function(wrapped, recipe, device_type)
    if plan.mode != "compile":
        return loss_of
    return torch.compile(loss_of, dynamic=False, backend=backend)
