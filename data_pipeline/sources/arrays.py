"""Images and labels as byte arrays: the hash they have as IDX files, and a copy kept on disk."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.sources.files import FASHION_MNIST_FILES, DataFile, write_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

Shapes = tuple[tuple[int, ...], ...]
_NAMES = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True, slots=True, eq=False)
class ByteArrays:
    """The whole data set in host memory, contiguous.

    Attributes:
        train_images: (N, H, W) uint8.
        train_labels: (N,) uint8 in 0..9.
        test_images: (N, H, W) uint8.
        test_labels: (N,) uint8 in 0..9.
    """

    train_images: "Bytes"
    train_labels: "Bytes"
    test_images: "Bytes"
    test_labels: "Bytes"

    def as_idx_files(self) -> tuple[DataFile, ...]:
        """Return the names, lengths and md5 of the four IDX files that would hold these arrays."""
        arrays = (self.train_images, self.train_labels, self.test_images, self.test_labels)
        return tuple(
            DataFile.holding(file.name, idx_header(array.shape), array.data)
            for file, array in zip(FASHION_MNIST_FILES, arrays, strict=True)
        )


def idx_header(shape: Sequence[int]) -> bytes:
    """Return what an IDX file of bytes begins with: type and number of dimensions, then each."""
    numbers = (0x0800 + len(shape), *shape)
    return b"".join(number.to_bytes(4, "big") for number in numbers)


def write_copy(path: Path, arrays: ByteArrays, made_from: Sequence[str]) -> None:
    """Keep the arrays in a file that says what they were made from.

    Raises:
        OSError: the folder cannot be written.
    """
    import numpy as np

    stream = io.BytesIO()
    np.savez(
        stream,
        made_from=np.array(made_from),
        train_images=arrays.train_images,
        train_labels=arrays.train_labels,
        test_images=arrays.test_images,
        test_labels=arrays.test_labels,
    )
    write_file(path, stream.getvalue())


def read_copy(path: Path, shapes: Shapes, made_from: Sequence[str]) -> ByteArrays | None:
    """Return the arrays of a copy, None where it is absent, damaged or made from other files.

    Args:
        path: what `write_copy` wrote.
        shapes: of the four arrays.
        made_from: what they must have been made from.
    """
    import numpy as np

    if not path.is_file():  # a pipe would be waited for
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as copy:
            if copy["made_from"].tolist() != list(made_from):
                return None
            arrays = [copy[name] for name in _NAMES]
    except Exception:  # numpy meets damage with a dozen kinds; whatever it is, it can be made again
        return None
    is_right = [(array.dtype, array.shape) for array in arrays] == [
        (np.dtype(np.uint8), shape) for shape in shapes
    ]
    return ByteArrays(*arrays) if is_right else None
