"""Fashion-MNIST's four IDX files as they lie on people's disks, plain or gzipped.

torchvision has them in `FashionMNIST/raw`. A clone of the project has them in `data/fashion`, Keras
in `datasets/fashion-mnist`, Kaggle's archive beside its CSV files, and Windows' tools write
`train-images.idx3-ubyte`. A subclass of torchvision's MNIST has them in `raw` below its own name.
Nothing is ever written beside them: the folder may be read-only.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.sources.files import DataFile, read_packed, read_plain, unpack

if TYPE_CHECKING:
    from data_pipeline.sources.csv_files import Arrays, Bytes

    Contents = Mapping[str, bytearray]  # of the files, by the names that torchvision gives them

TORCHVISION = Path("FashionMNIST", "raw")
MOST_DEEP = 3  # folders below the root: fashion-mnist/data/fashion
# folders that are looked into, beside those that are called after the data set or hold a `raw`
PASSED = {"raw", "data", "datasets"}
CALLED = ("fashion", "fmnist")
PREFIX = re.compile(r"^(fashion-?(mnist)?|fmnist)-")  # of a file's name, its dots hyphens
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
        if not (inner.is_dir() and os.access(inner, os.R_OK | os.X_OK)):
            continue
        name = re.sub(r"[^a-z]", "", inner.name.lower())
        if name in PASSED or name.startswith(CALLED) or (inner / "raw").is_dir():
            yield from _walk(inner, deep - 1)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def files_in(folder: Path, files: Sequence[DataFile]) -> Paths:
    """Return those of the files that a folder holds, a plain one before its gzip form.

    A link to nothing, or a folder without the file, counts only where there is no other.

    Raises:
        OSError: the folder cannot be read.
    """
    named = {
        PREFIX.sub("", re.sub(r"[._]", "-", path.name.lower())): path
        for path in sorted(_listed(folder))
    }
    found = {}
    for file in files:
        names = [name for name in (file.name, f"{file.name}-gz") if name in named]
        paths = [_inside(named[name], file) for name in names]
        if paths:
            found[file.name] = next((path for path in paths if path.is_file()), paths[0])
    return found


def _inside(path: Path, file: DataFile) -> Path:
    """Return the file in a folder of its name: some unpack it so."""
    return files_in(path, [file]).get(file.name, path) if path.is_dir() else path


def read_idx(paths: Paths, files: Sequence[DataFile]) -> "Contents":
    """Return the verified contents of the files that have a path, each plain or gzipped.

    Raises:
        ValueError: says which does not hold what it must; the caller knows the remedy.
        OSError: one cannot be read.
    """
    # torch wants arrays that may be written to
    return {f.name: bytearray(_read(paths[f.name], f, files)) for f in files if f.name in paths}


def _read(path: Path, file: DataFile, files: Sequence[DataFile]) -> bytes:
    if not path.is_file():  # a pipe or a device may never end
        found = "a folder" if path.is_dir() else "no file" if path.exists() else "a link to nothing"
        raise ValueError(f"{path}: expected a file of {file.num_bytes:,} bytes, found {found}")
    if path.suffix.lower() == ".gz":
        return unpack(read_packed(path, file), path, file, files)
    return read_plain(path, file, files)


def arrays_of(contents: "Contents", files: Sequence[DataFile]) -> "Arrays":
    """Return the arrays that share the contents' memory, in the order of `files`.

    These are train images (N, H, W), train labels (N,), test images and labels, all uint8.
    """
    train_images, train_labels, test_images, test_labels = (_array(contents[f.name]) for f in files)
    return train_images, train_labels, test_images, test_labels


def _array(content: bytearray) -> "Bytes":
    """Return the array of an IDX file: two zeros, the type, the number of dimensions, each size."""
    import numpy as np

    num_dimensions = content[3]
    shape = np.frombuffer(content, ">u4", num_dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * num_dimensions).reshape(shape)
