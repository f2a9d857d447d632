"""The loop everybody writes: a data set of PIL images, transforms on each, a DataLoader.

It is the yardstick that resident data is measured against, so it is written as well as such a loop
can be: worker processes, pinned memory and prefetching on a GPU; none of them on a CPU, where
workers take the cores that train (V0, batch 32, two cores: 1.8 s an epoch without workers, 4.2 s
with one or two).
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import pil_to_tensor, to_tensor

from data_pipeline.batches.augmentation import Augmentation, apply_augmentations
from data_pipeline.batches.normalization import normalize
from data_pipeline.batches.resident import ResidentSplit

Item: TypeAlias = tuple[int, tuple[Any, ...]]
"""Index of an image, and what each augmentation drew for it: numbers and lists of them."""
MAX_WORKERS = 8
PREFETCHED = 4


class ImageDataset(Dataset[tuple[Tensor, Tensor]]):
    """Images as torchvision's own data sets give them: a PIL image, transformed on access."""

    def __init__(
        self, split: ResidentSplit, augmentations: Sequence[Augmentation], normalization: str
    ) -> None:
        self.images = split.images[:, 0].cpu().numpy()  # (N, S, S) uint8
        self.labels = split.labels.cpu()
        self.augmentations = tuple(augmentations)
        self.normalization = normalization

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, item: Item) -> tuple[Tensor, Tensor]:
        """Return an image (1, S, S) float32 and its label () int64."""
        index, drawn = item
        image = Image.fromarray(self.images[index])
        if self.normalization == "unit" and not self.augmentations:
            return to_tensor(image), self.labels[index]
        draws = [torch.tensor([draw]) for draw in drawn]
        batch = apply_augmentations(pil_to_tensor(image)[None], self.augmentations, draws)
        # ours instead of torchvision's Normalize: the same to a rounding, and less to do
        return normalize(batch, self.normalization)[0], self.labels[index]


class LoaderStream:
    """Batches of a DataLoader in an order that is given from outside.

    For a GPU it has workers and pinned memory.
    """

    def __init__(self, dataset: ImageDataset, device: torch.device) -> None:
        self._order: list[list[Item]] = []
        is_cuda = device.type == "cuda"
        workers = min(MAX_WORKERS, max(_usable_cores() - 1, 1)) if is_cuda else 0
        self._loader = DataLoader(
            dataset,
            batch_sampler=self._order,
            generator=torch.Generator(),  # else every pass draws a seed where dropout draws
            num_workers=workers,
            pin_memory=is_cuda,
            persistent_workers=workers > 0,
            prefetch_factor=PREFETCHED if workers else None,
        )

    def batches(
        self, indices: Sequence[Tensor], drawn: Sequence[tuple[Tensor, ...]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images (B, 1, S, S) float32 and labels (B,), on the CPU, for each index tensor."""
        self._order[:] = [_items(index, draw) for index, draw in zip(indices, drawn, strict=True)]
        yield from self._loader


def _items(index: Tensor, drawn: tuple[Tensor, ...]) -> list[Item]:
    """Return an item for each image of a batch.

    Numbers, as they go to a worker: to send 1000 tensors takes 6 ms, which no loop would spend.
    """
    each = [tensor.tolist() for tensor in drawn]
    return [(number, tuple(draw[k] for draw in each)) for k, number in enumerate(index.tolist())]


def _usable_cores() -> int:
    """Count cores as DataLoader does, too; it warns of more workers than that."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
