"""The four files of Fashion-MNIST: what they must hold, and how they are checked and written."""

import contextlib
import glob
import gzip
import hashlib
import io
import os
import secrets
import shlex
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
# Guards against damage only, so that machines in FIPS mode allow it.
_md5 = partial(hashlib.md5, usedforsecurity=False)
_PIECE_BYTES = 1 << 20
_GZIP_SLACK_BYTES = 64 * 1024  # gzip hardly grows even what it cannot pack


@dataclass(frozen=True, slots=True)
class DataFile:
    """One decoded IDX file: its name, its length in bytes and its md5 in hex digits."""

    name: str
    num_bytes: int
    md5: str

    @classmethod
    def holding(cls, name: str, content: bytes) -> "DataFile":
        """Return the description of a file that holds these bytes."""
        return cls(name, len(content), _md5(content).hexdigest())

    @property
    def packed_name(self) -> str:
        """The name under which every source offers it."""
        return f"{self.name}.gz"

    @property
    def most_packed_bytes(self) -> int:
        """More bytes than the file takes in gzip form; beyond, it is something else."""
        return self.num_bytes + _GZIP_SLACK_BYTES

    def difference(self, found: "DataFile", files: Sequence["DataFile"]) -> str:
        """Say how another file of this name differs from the expected one."""
        twin = next((other.name for other in files if other.md5 == found.md5), None)
        hint = ""
        if twin:
            hint = f"; it holds {twin}: swapped?"
        elif found.num_bytes == self.num_bytes:  # KMNIST's have these names and sizes too
            hint = ": damaged, or another data set, such as MNIST's digits"
        return (
            f"expected {self.num_bytes:,} bytes with md5 {self.md5}, "
            f"found {found.num_bytes:,} bytes with md5 {found.md5}{hint}"
        )


FASHION_MNIST_FILES = (
    DataFile("train-images-idx3-ubyte", 47_040_016, "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
    DataFile("train-labels-idx1-ubyte", 60_008, "9018921c3c673c538a1fc5bad174d6f9"),
    DataFile("t10k-images-idx3-ubyte", 7_840_016, "8181f5470baa50b63fa0f6fddb340f0a"),
    DataFile("t10k-labels-idx1-ubyte", 10_008, "15d484375f8d13e6eb1aabb0c3f46965"),
)


def data_hash(files: Sequence[DataFile] = FASHION_MNIST_FILES) -> str:
    """Return 12 hex digits that stand for the data, the same wherever the files came from.

    They begin the sha256 of the md5 digests of the decoded files, in hex, joined in the order
    train images, train labels, test images, test labels.
    """
    return hashlib.sha256("".join(file.md5 for file in files).encode()).hexdigest()[:12]


def fetch_command(root: Path) -> str:
    """Return the command that fetches what is missing into a data folder."""
    return f"`fmnist-bench doctor --fetch --data {shlex.quote(str(root))}`"


def exists(path: Path) -> bool:
    """Tell whether anything lies at the path; a root that is a file or forbidden raises OSError."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def read_plain(path: Path, file: DataFile, files: Sequence[DataFile]) -> bytes:
    """Return the verified content of a file.

    Raises:
        ValueError: says what lies there instead; the caller knows the remedy.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        content = stream.read(file.num_bytes)
        md5 = _md5(content)
        while piece := stream.read(_PIECE_BYTES):  # of a longer file
            md5.update(piece)
        found = DataFile(file.name, stream.tell(), md5.hexdigest())
    if found != file:
        raise ValueError(f"{path}: {file.difference(found, files)}")
    return content


def read_packed(path: Path, file: DataFile) -> bytes:
    """Return what the gzip form of a file holds.

    Raises:
        ValueError: it is no file, or too long to be this one; the caller knows the remedy.
        OSError: it cannot be read.
    """
    if path.exists() and not path.is_file():  # a pipe or a device may never end
        raise ValueError(f"{path} is no file")
    with path.open("rb") as stream:
        content = stream.read(file.most_packed_bytes + 1)
    if len(content) > file.most_packed_bytes:
        raise ValueError(f"{path}: expected at most {file.most_packed_bytes:,} bytes, found more")
    return content


def unpack(packed: bytes, place: object, file: DataFile, files: Sequence[DataFile]) -> bytes:
    """Return the verified content of a gzip file.

    Raises:
        ValueError: says what is wrong with the bytes at this place.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            content = stream.read(file.num_bytes + 1)  # one more: sees a longer file and the CRC
    except (OSError, EOFError, zlib.error) as error:
        what = f"expected {file.name} in gzip form, found damage: {error}"
        raise ValueError(f"{place}: {what}") from error
    found = DataFile.holding(file.name, content)
    if found != file:
        raise ValueError(f"{place}: {file.difference(found, files)}")
    return content


def write_file(path: Path, content: bytes) -> None:
    """Put a whole file in place at once: no reader and no second writer ever sees half of it."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except BaseException:  # a signal too must leave no half file behind
        part.unlink(missing_ok=True)
        raise


def remove_parts(path: Path) -> None:
    """Remove what writers of this file have left that were killed while they wrote."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError):
            part.unlink()
