"""Splits: which images are in them, and how they lie on the device, resized once, as bytes."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from data_pipeline.errors import DataError

_CHUNK_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True, eq=False)
class ResidentSplit:
    """Images (N, 1, S, S) uint8 and labels (N,) int64 on one device."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def stratified_split(labels: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return training and validation indices, each (n,) int64 in rising order on the CPU.

    Every class gives exactly `round(fraction * count)` of its examples to validation. The split
    depends on the labels, the fraction and the seed only, not on the device.

    A fraction of 0 leaves validation empty.

    Raises:
        DataError: the fraction lies outside [0, 1).
    """
    if not 0 <= fraction < 1:
        raise DataError(f"validation fraction {fraction} is not in [0, 1); choose such as 0.1")
    labels = labels.cpu()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    is_validation = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = order[labels[order] == label]
        is_validation[members[: round(fraction * len(members))]] = True
    return (~is_validation).nonzero().flatten(), is_validation.nonzero().flatten()


def place(
    images: Tensor,
    labels: Tensor,
    device: torch.device | str,
    input_size: int,
    indices: Tensor | None = None,
) -> ResidentSplit:
    """Put a split on the device at the size that the model takes.

    Resizing is bilinear, antialiased when it shrinks, on bytes, as torchvision does it: enlarged
    images equal PIL's, of shrunk ones some 3 % of the pixels differ by a level or two of 255. It
    always runs on the CPU, so that every device trains on the same bytes.

    Args:
        images: (N, 1, H, W) uint8 on the CPU.
        labels: (N,) int64.
        device: where the split shall lie.
        input_size: S, in pixels.
        indices: (n,) int64, which images make the split; None for all.
    """
    if indices is not None:
        images, labels = images[indices], labels[indices]
    if images.shape[-2:] == (input_size, input_size):
        resident = images.to(device)
    else:
        resident = _resized(images, torch.device(device), input_size)
    return ResidentSplit(resident, labels.to(device))


def _resized(images: Tensor, device: torch.device, size: int) -> Tensor:
    """Return (N, 1, S, S) uint8 on the device, made in chunks to bound host memory."""
    resident = torch.empty(len(images), 1, size, size, dtype=torch.uint8, device=device)
    chunk = max(1, _CHUNK_BYTES // size**2)
    for start in range(0, len(images), chunk):
        part = interpolate(
            images[start : start + chunk], size=(size, size), mode="bilinear", antialias=True
        )
        resident[start : start + chunk] = part
    return resident
