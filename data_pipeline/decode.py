"""Fashion-MNIST as tensors, read by torchvision's own reader of IDX files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.fetch import ensure_data
from data_pipeline.files import CLASS_NAMES

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


def load_fashion_mnist(root: Path | None = None, *, fetch: bool = True) -> FashionMNIST:
    """Return the verified data set, fetched first if it is missing and `fetch` allows it.

    Raises:
        DataError: a file is bad or missing, or the root cannot be used.
    """
    data = ensure_data(root, fetch=fetch)
    train_images, train_labels = _read_pair(data.folder, "train")
    test_images, test_labels = _read_pair(data.folder, "t10k")
    return FashionMNIST(train_images, train_labels, test_images, test_labels, data.data_hash)


def _read_pair(folder: Path, prefix: str) -> "tuple[Tensor, Tensor]":
    """Return images (N, 1, 28, 28) uint8 and labels (N,) int64."""
    from torchvision.datasets.mnist import read_image_file, read_label_file  # takes 3 s

    images: Tensor = read_image_file(str(folder / f"{prefix}-images-idx3-ubyte"))
    labels: Tensor = read_label_file(str(folder / f"{prefix}-labels-idx1-ubyte"))
    return images.unsqueeze(1), labels
