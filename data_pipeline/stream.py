"""Endless shuffled batches of indices, drawn on the device."""

import torch
from torch import Tensor


class BatchStream:
    """Index batches for epoch after epoch, each epoch a fresh permutation.

    Attributes:
        steps_per_epoch: batches in one epoch.
        images_per_epoch: images in one epoch, fewer than N where the ragged batch is dropped.
        epoch: completed epochs.
        remaining: steps left in the present epoch, never 0.
    """

    def __init__(
        self,
        num_images: int,
        batch_size: int,
        *,
        drop_last: bool,
        generator: torch.Generator,
        device: torch.device | str,
    ) -> None:
        """Begin before the first batch; nothing is drawn yet.

        Args:
            num_images: N.
            batch_size: images per step.
            drop_last: leave the ragged last batch of an epoch out.
            generator: the only source of randomness; it must be of the same device.
            device: where the indices shall lie.

        Raises:
            ValueError: there would be no batch at all.
        """
        if num_images < 1 or batch_size < 1:
            raise ValueError(f"no batches of {batch_size} from {num_images} images")
        if drop_last and batch_size > num_images:
            raise ValueError(
                f"batch size {batch_size} is more than the {num_images} images, and the ragged "
                "batch is dropped: lower the batch size or keep the ragged batch"
            )
        self._num_images = num_images
        self._batch_size = batch_size
        self._generator = generator
        self._device = device
        full_steps, ragged = divmod(num_images, batch_size)
        self.steps_per_epoch = full_steps + (ragged > 0 and not drop_last)
        self.images_per_epoch = full_steps * batch_size if drop_last else num_images
        self.epoch = 0
        self.remaining = self.steps_per_epoch
        self._batches: tuple[Tensor, ...] = ()

    def take(self, max_steps: int) -> list[Tensor]:
        """Return the next batches, up to `max_steps` of them and to the end of the epoch.

        Each is (batch_size,) int64; the last of an epoch may be ragged, (b,) with b below it.
        """
        if max_steps < 1:
            raise ValueError(f"cannot take {max_steps} steps: ask for at least 1")
        if self.remaining == self.steps_per_epoch:
            self._batches = self._draw().split(self._batch_size)
        start = self.steps_per_epoch - self.remaining
        taken = list(self._batches[start : start + min(max_steps, self.remaining)])
        self.remaining -= len(taken)
        if self.remaining == 0:
            self.epoch += 1
            self.remaining = self.steps_per_epoch
        return taken

    def _draw(self) -> Tensor:
        """Return the images of an epoch in their order, (images_per_epoch,) int64."""
        order = torch.randperm(self._num_images, generator=self._generator, device=self._device)
        return order[: self.images_per_epoch]
