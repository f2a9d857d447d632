"""Fashion-MNIST in its Kaggle CSV form: two files, read once, with a decoded copy beside them."""

import gzip
import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data_pipeline.errors import DataError
from data_pipeline.sources.arrays import ByteArrays, Shapes, read_copy, write_copy
from data_pipeline.sources.csv_rows import REMEDY, CsvTable, CsvText, parse_rows
from data_pipeline.sources.files import DataFile, data_hash, exists

CSV_NAMES = ("fashion-mnist_train.csv", "fashion-mnist_test.csv")
COPY_NAME = "fmnist-bench-decoded.npz"
_ENDINGS = ("", ".gz", ".zip")
_DAMAGE = (  # what an archive raises; RuntimeError of a password or an unknown kind of packing
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile),
    *(RuntimeError, LookupError, ValueError),
)
_MAX_FIELD_BYTES = 16  # many times what Kaggle's files need: guards the memory, no more


@dataclass(frozen=True, slots=True, eq=False)
class CsvData:
    """Data read from CSV files: their folder, the bytes, the hash of the IDX files they make."""

    folder: Path
    arrays: ByteArrays
    data_hash: str


def find_csv(root: Path) -> tuple[Path, Path] | None:
    """Return the paths of the train and the test file, None if neither is there.

    Raises:
        DataError: one of them is missing.
        OSError: the root cannot be used.
    """
    train, test = (_find(root, name) for name in CSV_NAMES)
    if train and test:
        return train, test
    if not (train or test):
        return None
    lone, missing = (train, CSV_NAMES[1]) if train else (test, CSV_NAMES[0])
    raise DataError(
        f"{root}: no {missing} beside {lone and lone.name}; "
        "put it there, or remove the other and run `fmnist-bench doctor --fetch`"
    )


def load_csv(
    paths: tuple[Path, Path], files: Sequence[DataFile], say: Callable[[str], None]
) -> CsvData:
    """Return what the CSV files hold, from the decoded copy if it was made from these very files.

    Otherwise they are read, and the copy is written where the folder allows it.

    Args:
        paths: of the train and the test file.
        files: the IDX files whose numbers of images and pixels the CSV files must have.
        say: is told if no copy can be kept.

    Raises:
        DataError: a file cannot be read or does not hold what it must.
    """
    folder = paths[0].parent
    tables = _tables(files)
    arrays = read_copy(folder / COPY_NAME, _shapes(tables), [_digest(path) for path in paths])
    if arrays is None:
        arrays = _decode(paths, tables, say)
    return CsvData(folder, arrays, data_hash(arrays.as_idx_files()))


def _find(root: Path, name: str) -> Path | None:
    places = (root / f"{name}{ending}" for ending in _ENDINGS)
    path = next((path for path in places if exists(path)), None)
    if path and not (path.is_file() or path.is_dir()):  # a pipe or a device may never end
        raise DataError(f"{path} is no file; {REMEDY}")
    return path


def _tables(files: Sequence[DataFile]) -> tuple[CsvTable, CsvTable]:
    """Return what the CSV files must hold to make IDX files as long as these."""
    train_images, train_labels, test_images, test_labels = (file.num_bytes for file in files)
    num_train, num_test = train_labels - 8, test_labels - 8  # less the headers
    return (
        CsvTable(CSV_NAMES[0], num_train, (train_images - 16) // num_train),
        CsvTable(CSV_NAMES[1], num_test, (test_images - 16) // num_test),
    )


def _shapes(tables: tuple[CsvTable, CsvTable]) -> Shapes:
    train, test = ((table.num_rows, *table.image_shape) for table in tables)
    return train, train[:1], test, test[:1]


def _decode(
    paths: tuple[Path, Path], tables: tuple[CsvTable, CsvTable], say: Callable[[str], None]
) -> ByteArrays:
    """Read both files and keep a copy, marked by the digests of the very bytes that were read."""
    limit = max(map(_max_bytes, tables))  # of both, as they may be swapped
    packed = [_read(path, limit) for path in paths]
    train, test = (
        CsvText(path, _unpack(path, content, table.name, limit), table)
        for path, content, table in zip(paths, packed, tables, strict=True)
    )
    _check_swap(train, test)
    arrays = ByteArrays(*parse_rows(train), *parse_rows(test))
    path = paths[0].with_name(COPY_NAME)
    try:
        write_copy(path, arrays, [hashlib.sha256(content).hexdigest() for content in packed])
    except OSError as error:
        say(f"no decoded copy {path} ({error.strerror or error}): each process reads the CSV files")
    return arrays


def _check_swap(train: CsvText, test: CsvText) -> None:
    """Raise DataError if each file has as many rows as the other should have."""
    found = (train.num_rows(), test.num_rows())
    if found == (test.table.num_rows, train.table.num_rows) and found[0] != found[1]:
        raise DataError(
            f"{train.path} has {found[0]:,} rows and {test.path.name} {found[1]:,}: "
            "they are swapped; exchange the names of the two files"
        )


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as stream:
            return _at_most(limit, stream.read(limit + 1), path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unpack(path: Path, content: bytes, name: str, limit: int) -> bytes:
    """Return the text in a gzip or zip file, and any other bytes as they are.

    The first bytes decide: Kaggle's own client saves zip files under the name of the CSV file.
    """
    try:
        if content.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
                return _at_most(limit, stream.read(limit + 1), path)
        if content.startswith(b"PK"):
            return _at_most(limit, _zip_member(content, name, limit + 1), path)
    except _DAMAGE as error:
        raise DataError(f"{path}: cannot unpack {name} ({error}); {REMEDY}") from error
    return content


def _zip_member(content: bytes, name: str, num_bytes: int) -> bytes:
    """Return the first bytes of a file in an archive, in whatever folder it lies there."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        member = next((path for path in names if PurePosixPath(path).name == name), None)
        if member is None:
            raise LookupError("the archive holds no such file")
        with archive.open(member) as stream:
            return stream.read(num_bytes)


def _max_bytes(table: CsvTable) -> int:
    return _MAX_FIELD_BYTES * (table.num_rows + 1) * (table.num_pixels + 1)


def _at_most(limit: int, content: bytes, path: Path) -> bytes:
    if len(content) > limit:
        raise DataError(f"{path}: expected at most {limit:,} bytes, found more; {REMEDY}")
    return content


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"cannot read {path}: {error.strerror or error}; mend its rights or {REMEDY}")
