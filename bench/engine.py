"""The engine: executes training steps as the plan says, a chunk of steps a call.

A chunk is the unit at this seam so that an engine may run several steps in one compiled function or
one CUDA graph: whoever calls gives index tensors and learning rates, and gets the losses.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from bench.plan import Plan
from bench.recipe import Recipe
from data_pipeline import Augmentation, ResidentSplit, augment, normalize

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
MEMORY_FORMATS = {
    "contiguous": torch.contiguous_format,
    "channels_last": torch.channels_last,
}


class Engine(Protocol):
    """Runs training steps."""

    def run(self, batches: Sequence[Tensor], learning_rates: Sequence[float]) -> Tensor:
        """One optimizer step for each batch.

        Args:
            batches: index tensors (B,) int64 into the training split, on the device.
            learning_rates: one a batch.

        Returns:
            The losses, (len(batches),) float32 on the host; on CUDA the copy may still be under
            way and is complete once a later mark of the clock has been reached.
        """


@dataclass(frozen=True)
class Feed:
    """Makes batches on the device from index tensors.

    Attributes:
        split: the resident training images and labels.
        augmentations: applied in this order to uint8 images.
        normalization: a name in `data_pipeline.NORMALIZATIONS`.
        generator: draws the augmentation; lives on the device of the split.
        memory_format: strides of the images handed to the model.
    """

    split: ResidentSplit
    augmentations: tuple[Augmentation, ...]
    normalization: str
    generator: torch.Generator
    memory_format: torch.memory_format

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 1, S, S) float32 and labels (B,) int64."""
        images = self.split.images.index_select(0, index)
        images = augment(images, self.augmentations, self.generator)
        # .to, not .contiguous: with one channel the latter takes NCHW for NHWC and does nothing
        images = normalize(images, self.normalization).to(memory_format=self.memory_format)
        return images, self.split.labels.index_select(0, index)


def autocast(precision: str, device_type: str) -> AbstractContextManager[object]:
    """The autocast context of a precision; none for fp32 and tf32."""
    if precision not in AUTOCAST:
        return nullcontext()
    return torch.autocast(device_type, dtype=AUTOCAST[precision])


def loss_function(
    model: nn.Module, recipe: Recipe, device_type: str
) -> Callable[[Tensor, Tensor], Tensor]:
    """Forward pass and mean cross-entropy: (images, labels) -> scalar float32."""

    def loss_of(images: Tensor, labels: Tensor) -> Tensor:
        with autocast(recipe.precision, device_type):
            logits = model(images)
        return F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)

    return loss_of


class StepEngine:
    """One step a call of Python: eager, or with forward and backward compiled.

    Args:
        model: already on the device, in the plan's memory format.
        optimizer: over its trainable parameters.
        feed: makes the batches.
        loss_of: (images, labels) -> scalar loss; compiled or not.
        precision: fp16 adds a gradient scaler, the others need none.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: optim.Optimizer,
        feed: Feed,
        loss_of: Callable[[Tensor, Tensor], Tensor],
        precision: str,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.feed = feed
        self.loss_of = loss_of
        device_type = feed.split.images.device.type
        self.scaler = torch.amp.GradScaler(device_type) if precision == "fp16" else None

    def run(self, batches: Sequence[Tensor], learning_rates: Sequence[float]) -> Tensor:
        """One optimizer step for each batch; see `Engine.run`."""
        losses = [self._step(*pair) for pair in zip(batches, learning_rates, strict=True)]
        return torch.stack(losses).to("cpu", non_blocking=True)

    def _step(self, index: Tensor, learning_rate: float) -> Tensor:
        images, labels = self.feed.batch(index)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
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


def make_loss(
    model: nn.Module, recipe: Recipe, plan: Plan, device_type: str
) -> Callable[..., Tensor]:
    """The loss of a plan: DataParallel around the model, or torch.compile around the whole."""
    wrapped = nn.DataParallel(model) if plan.parallel == "dp" else model
    loss_of = loss_function(wrapped, recipe, device_type)
    return torch.compile(loss_of, dynamic=False) if plan.mode == "compile" else loss_of
