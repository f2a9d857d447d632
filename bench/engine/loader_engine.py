"""The engine of `plan dataloader`: the loop everybody writes, as a yardstick."""

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.engine.engine import Momentum, StepEngine, one_a_step
from data_pipeline import ImageDataset, LoaderStream


class LoaderEngine:
    """Batches from a DataLoader, copied to the device, the loss read at each step.

    The order and the draws of the augmentation are those of every other plan.

    Args:
        steps: does forward, backward and update.
    """

    group_steps = 1

    def __init__(self, steps: StepEngine) -> None:
        self.steps = steps
        self.model, self.optimizer, self.feed = steps.model, steps.optimizer, steps.feed
        self.device = self.feed.split.images.device
        dataset = ImageDataset(self.feed.split, self.feed.augmentations, self.feed.normalization)
        self.stream = LoaderStream(dataset, self.device)

    def run(
        self,
        batches: Sequence[Tensor],
        learning_rates: Sequence[float],
        momentum: Momentum = None,
    ) -> Tensor:
        """One optimizer step for each batch; see `Engine.run`."""
        drawn = [self.feed.draw(len(index)) for index in batches]
        loaded = self.stream.batches(batches, drawn)
        steps = zip(loaded, learning_rates, one_a_step(momentum, len(batches)), strict=True)
        return torch.tensor([self._step(*batch, rate, own) for batch, rate, own in steps])

    def reset(self) -> None:
        """Forgets what untimed steps have left."""
        self.steps.reset()

    def _step(self, images: Tensor, labels: Tensor, rate: float, momentum: float | None) -> float:
        images = images.to(
            self.device,
            self.feed.dtype,
            non_blocking=True,
            memory_format=self.feed.memory_format,
        )
        labels = labels.to(self.device, non_blocking=True)
        loss = self.steps.update(images, labels, rate, momentum)
        return float(loss.item())
