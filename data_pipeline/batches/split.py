"""A seeded split that keeps the share of every class."""

import torch
from torch import Tensor

from data_pipeline.errors import DataError


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
