"""Fashion-MNIST's four IDX files as they lie on people's disks, plain or gzipped.

torchvision has them in `FashionMNIST/raw`. A clone of the project has them in `data/fashion`, Keras
in `datasets/fashion-mnist`, Kaggle's archive beside its CSV files, and Windows' tools write
`train-images.idx3-ubyte`. Nothing is ever written beside them: the folder may be read-only.
"""

import gzip
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from data_pipeline.sources.files import REMEDY, DataFile, check_file, read_packed, unpack

if TYPE_CHECKING:
    from data_pipeline.sources.csv_files import Arrays, Bytes

TORCHVISION = Path("FashionMNIST", "raw")
MOST_DEEP = 3  # folders below the root: fashion-mnist/data/fashion
PASSED = {"raw", "data", "datasets"}  # looked into, and every folder called after fashion
Paths = Mapping[str, Path]  # of the files, by the names that torchvision gives them


def folders_below(root: Path) -> Iterator[Path]:
    """Yield the folders that may hold the data, torchvision's first, then the root.

    Raises:
        OSError: the root, or one of the folders, cannot be read.
    """
    yield root / TORCHVISION
    yield from _walk(root, MOST_DEEP)


def _walk(folder: Path, deep: int) -> Iterator[Path]:
    yield folder
    if not deep:
        return
    for inner in sorted(_listed(folder)):
        name = re.sub(r"[^a-z]", "", inner.name.lower())
        is_asked = name in PASSED or name.startswith("fashion")
        if is_asked and inner.is_dir() and os.access(inner, os.R_OK | os.X_OK):
            yield from _walk(inner, deep - 1)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def files_in(folder: Path, files: Sequence[DataFile]) -> Paths:
    """Return those of the files that a folder holds, a plain one before its gzip form.

    Raises:
        OSError: the folder cannot be read.
    """
    named = {re.sub(r"[._]", "-", path.name.lower()): path for path in sorted(_listed(folder))}
    found = {}
    for file in files:
        path = named.get(file.name) or named.get(f"{file.name}-gz")
        if path and path.is_dir():  # some unpack a file into a folder of its name
            path = files_in(path, [file]).get(file.name, path)
        if path:
            found[file.name] = path
    return found


def check_idx(path: Path, file: DataFile, files: Sequence[DataFile]) -> None:
    """Verify a file, plain or gzipped.

    Raises:
        DataError: it does not hold what it must.
        OSError: it cannot be read.
    """
    if not _is_packed(path):
        check_file(path, file, files)
        return
    try:
        unpack(read_packed(path, file), path, file, files)
    except ValueError as error:
        raise DataError(f"{error}; {REMEDY}") from error


def load_idx(paths: Paths, files: Sequence[DataFile]) -> "Arrays":
    """Return what verified files hold, in the order of `files`.

    These are train images (N, H, W), train labels (N,), test images and labels, all uint8.
    """
    train_images, train_labels, test_images, test_labels = (_array(paths[f.name]) for f in files)
    return train_images, train_labels, test_images, test_labels


def _array(path: Path) -> "Bytes":
    """Return the array of an IDX file: two zeros, the type, the number of dimensions, each size."""
    import numpy as np

    with gzip.open(path) if _is_packed(path) else path.open("rb") as stream:
        content = bytearray(stream.read())  # torch wants an array that may be written to
    num_dimensions = content[3]
    shape = np.frombuffer(content, ">u4", num_dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * num_dimensions).reshape(shape)


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"
