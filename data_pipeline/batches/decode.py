"""Fashion-MNIST as tensors: IDX files by torchvision's own reader, or what the CSV files hold."""

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
    fetch: bool = True,
    files: Sequence[DataFile] = FASHION_MNIST_FILES,
) -> FashionMNIST:
    """Return the verified data set, fetched first if it is missing and `fetch` allows it.

    Args:
        root: the data folder, in torchvision's layout or with Kaggle's CSV files; None for
            `default_root()`.
        fetch: whether missing files may be fetched.
        files: as in `ensure_data`.

    Raises:
        DataError: a file is bad or missing, or the root cannot be used.
    """
    found, arrays = find_or_fetch(root, fetch=fetch, files=files)
    if arrays is not None:
        import torch

        parts = [torch.from_numpy(array) for array in arrays]
    else:
        from torchvision.datasets.mnist import read_image_file, read_label_file  # takes 3 s

        readers = (read_image_file, read_label_file) * 2
        paths = [str(found.folder / file.name) for file in FASHION_MNIST_FILES]
        parts = [read(path) for read, path in zip(readers, paths, strict=True)]
    train_images, train_labels, test_images, test_labels = parts
    return FashionMNIST(
        train_images.unsqueeze(1),
        train_labels.long(),
        test_images.unsqueeze(1),
        test_labels.long(),
        found.data_hash,
    )
