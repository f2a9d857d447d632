"""Fashion-MNIST as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.sources.fetch import find_or_fetch
from data_pipeline.sources.files import CLASS_NAMES, FASHION_MNIST_FILES, DataFile

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class FashionMNIST:
    """The whole data set in host memory.

    Attributes:
        train_images: (60000, 1, 28, 28) uint8.
        train_labels: (60000,) int64 in 0..9.
        test_images: (10000, 1, 28, 28) uint8.
        test_labels: (10000,) int64 in 0..9.
        data_hash: 12 hex digits, as `data_pipeline.data_hash` documents them.
        classes: the ten class names in label order.
    """

    train_images: "Tensor"
    train_labels: "Tensor"
    test_images: "Tensor"
    test_labels: "Tensor"
    data_hash: str
    classes: tuple[str, ...] = CLASS_NAMES


def load_fashion_mnist(
    root: Path | None = None,
    *,
    fetch: bool | None = None,
    files: Sequence[DataFile] = FASHION_MNIST_FILES,
) -> FashionMNIST:
    """Return the verified data set, fetched first if it is missing and `fetch` allows it.

    The arguments are those of `ensure_data`.

    Raises:
        DataError: a file is bad or missing, or the root cannot be used.
    """
    found, load = find_or_fetch(root, fetch=fetch, files=files)
    import torch

    train_images, train_labels, test_images, test_labels = map(torch.from_numpy, load())
    return FashionMNIST(
        train_images.unsqueeze(1),
        train_labels.long(),
        test_images.unsqueeze(1),
        test_labels.long(),
        found.data_hash,
    )
