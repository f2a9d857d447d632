"""Endless batches of indices, in an order drawn anew for each epoch."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from data_pipeline.errors import DataError

DrawOrder: TypeAlias = Callable[[int, torch.Generator], Tensor]


def permutation(num_images: int, generator: torch.Generator) -> Tensor:
    """Return a fresh permutation (N,) int64 on the device of the generator."""
    return torch.randperm(num_images, generator=generator, device=generator.device)


def dataloader_order(num_images: int, generator: torch.Generator) -> Tensor:
    """Return the order (N,) int64 of `torch.utils.data.DataLoader(shuffle=True)`.

    With a CPU generator of seed s it is that of a script which calls `torch.manual_seed(s)` and
    then, epoch after epoch, goes through a training and a test loader, as R4's does. Each loader
    draws a base seed for its workers when its epoch begins; the sampler then draws the seed of its
    permutation (torch/utils/data/dataloader.py, sampler.py).
    """
    _draw_seed(generator)  # base seed of the training loader
    order = torch.randperm(
        num_images, generator=torch.Generator().manual_seed(_draw_seed(generator))
    )
    _draw_seed(generator)  # base seed of the test loader, which comes after
    return order


def sequential(num_images: int, generator: torch.Generator) -> Tensor:
    """Return the images as they lie, (N,) int64: no shuffling."""
    return torch.arange(num_images, device=generator.device)


def _draw_seed(generator: torch.Generator) -> int:
    return int(torch.empty((), dtype=torch.int64).random_(generator=generator).item())


ORDERS: dict[str, DrawOrder] = {
    "permutation": permutation,
    "dataloader": dataloader_order,
    "sequential": sequential,
}


class BatchStream:
    """Index batches for epoch after epoch, each epoch in a fresh order.

    Attributes:
        steps_per_epoch: batches in one epoch.
        images_per_epoch: images in one epoch, fewer than N where the ragged batch is dropped.
        epoch: completed epochs.
        remaining: steps left in the present epoch, never 0.
        device: where the indices lie.
    """

    def __init__(
        self,
        num_images: int,
        batch_size: int,
        *,
        drop_last: bool,
        generator: torch.Generator,
        device: torch.device | str,
        order: str = "permutation",
    ) -> None:
        """Begin before the first batch; nothing is drawn yet.

        The generator is the only source of randomness, on the CPU for the order `dataloader`; the
        indices lie on the device.

        Raises:
            ValueError: there would be no batch at all.
            DataError: no such order.
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
        self.device = torch.device(device)
        full_steps, ragged = divmod(num_images, batch_size)
        self.steps_per_epoch = full_steps + (ragged > 0 and not drop_last)
        self.images_per_epoch = full_steps * batch_size if drop_last else num_images
        self.epoch = 0
        self.remaining = self.steps_per_epoch
        if order not in ORDERS:
            raise DataError(f"unknown order {order!r}; choose from {', '.join(ORDERS)}")
        self._draw_order = ORDERS[order]
        self._drawn_from = generator.get_state()
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

    def state(self) -> dict[str, Any]:
        """Return where the stream is, as tensors and numbers: for a checkpoint."""
        return {"drawn_from": self._drawn_from, "epoch": self.epoch, "remaining": self.remaining}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where a stream of the same data, batch size and order has been."""
        self.epoch, self.remaining = int(state["epoch"]), int(state["remaining"])
        self._generator.set_state(state["drawn_from"])
        if self.epoch or self.remaining < self.steps_per_epoch:  # some epoch has been drawn
            self._batches = self._draw().split(self._batch_size)

    def _draw(self) -> Tensor:
        """Return the images of an epoch in their order, (images_per_epoch,) int64."""
        self._drawn_from = self._generator.get_state()
        order = self._draw_order(self._num_images, self._generator).to(self.device)
        return order[: self.images_per_epoch]
