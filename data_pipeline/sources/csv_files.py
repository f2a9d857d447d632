"""Fashion-MNIST in its Kaggle CSV form: two files with a label and 784 pixels a row.

NumPy reads rows of plain whole numbers. A file with anything else is read again line by line, which
accepts a number written as `3.0` or `"3"` and names the first place where there is none.
"""

import csv
import gzip
import io
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from data_pipeline.errors import DataError
from data_pipeline.sources.files import DataFile, data_hash, exists, fetch_command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Arrays = tuple[Bytes, Bytes, Bytes, Bytes]

CSV_NAMES = ("fashion-mnist_train.csv", "fashion-mnist_test.csv")
_MAX_FIELD_BYTES = 16  # many times what Kaggle's files need: guards the memory, no more
_PIECE_BYTES = 1 << 20
_MAX_LABEL, _MAX_PIXEL = 9, 255


@dataclass(frozen=True, slots=True)
class _CsvFile:
    """Where a CSV file lies, what it must hold, and what to do where it does not."""

    path: Path
    num_rows: int
    num_pixels: int
    remedy: str

    @property
    def columns(self) -> list[str]:
        """The names in the header."""
        return ["label", *(f"pixel{number}" for number in range(1, self.num_pixels + 1))]

    def error(self, what: str) -> DataError:
        """Return the one line that names the file and the remedy."""
        return DataError(f"{self.path}: {what}; {self.remedy}")


def _remedy(root: Path) -> str:
    return f"put Kaggle's file there, or remove both CSV files and run {fetch_command(root)}"


def find_csv(folder: Path, root: Path) -> tuple[Path, Path] | None:
    """Return the paths of the train and the test file, None if neither is in the folder.

    Args:
        folder: to look into.
        root: the data folder that it is in, which the remedies name.

    Raises:
        DataError: one of them is missing.
        OSError: the folder cannot be used.
    """
    train, test = (_find(folder, name, root) for name in CSV_NAMES)
    if train and test:
        return train, test
    if not (train or test):
        return None
    lone, missing = (train, CSV_NAMES[1]) if train else (test, CSV_NAMES[0])
    raise DataError(
        f"{folder}: no {missing} beside {lone and lone.name}; "
        f"put it there, or remove the other and run {fetch_command(root)}"
    )


def _find(folder: Path, name: str, root: Path) -> Path | None:
    places = (folder / f"{name}{ending}" for ending in ("", ".gz", ".zip"))
    path = next((path for path in places if exists(path)), None)
    if path and not (path.is_file() or path.is_dir()):  # a pipe or a device may never end
        raise DataError(f"{path} is no file; {_remedy(root)}")
    return path


def load_csv(
    paths: tuple[Path, Path], files: Sequence[DataFile], root: Path
) -> "tuple[Arrays, str]":
    """Return the arrays of the CSV files, and the data hash that they would have as IDX files.

    The arrays are train images (N, H, W), train labels (N,), test images and labels, all uint8.

    Args:
        paths: of the train and the test file.
        files: the IDX files whose numbers of images and pixels the CSV files must have.
        root: the data folder, which the remedies name.

    Raises:
        DataError: a file cannot be read or does not hold what it must.
    """
    wanted = [files[1].num_bytes - 8, files[3].num_bytes - 8]  # less the header: a byte a label
    num_pixels = (files[0].num_bytes - 16) // wanted[0]
    train, test = (
        _CsvFile(*pair, num_pixels, _remedy(root)) for pair in zip(paths, wanted, strict=True)
    )
    # of the longer one, as they may be swapped
    limit_bytes = _MAX_FIELD_BYTES * (max(wanted) + 1) * (num_pixels + 1)
    rows = [_read_rows(file, limit_bytes) for file in (train, test)]
    found = [len(part) for part in rows]
    if found == wanted[::-1] != wanted:
        raise DataError(
            f"{train.path} has {found[0]:,} rows and {test.path.name} {found[1]:,}: "
            "they are swapped; exchange the names of the two files"
        )
    for file, num_rows in zip((train, test), found, strict=True):
        if num_rows != file.num_rows:
            raise file.error(f"expected {file.num_rows:,} rows, found {num_rows:,}")
    arrays = (*_split(rows[0]), *_split(rows[1]))
    as_idx = [
        DataFile.holding(file.name, _idx_header(array.shape) + array.tobytes())
        for file, array in zip(files, arrays, strict=True)
    ]
    return arrays, data_hash(as_idx)


def _split(rows: "Bytes") -> "tuple[Bytes, Bytes]":
    """Return images (N, H, W) and labels (N,), contiguous, of rows (N, 1 + H W)."""
    side = isqrt(rows.shape[1] - 1)
    return rows[:, 1:].reshape(-1, side, side).copy(), rows[:, 0].copy()


def _idx_header(shape: Sequence[int]) -> bytes:
    """Return what an IDX file of bytes begins with: type and number of dimensions, then each."""
    return b"".join(number.to_bytes(4, "big") for number in (0x0800 + len(shape), *shape))


def _read_rows(file: _CsvFile, limit_bytes: int) -> "Bytes":
    """Return the rows (n, 1 + pixels), however many there are."""
    import numpy as np

    content = _unpacked(file, limit_bytes)
    if not content or content.isspace():
        raise file.error("is empty")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise file.error(f"line {line}: expected text in UTF-8, found other bytes") from None
    # "sig": Excel puts a mark before the text
    stream = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="")
    num_lines = _skip_header(file, stream)
    start = stream.tell()
    try:
        with warnings.catch_warnings(action="error"):  # NumPy warns where there is no row
            rows = np.loadtxt(stream, np.uint8, comments=None, delimiter=",", ndmin=2)
        if rows.shape[1] == 1 + file.num_pixels and rows[:, 0].max() <= _MAX_LABEL:
            return rows
    except (ValueError, Warning):
        pass  # other numbers, or none: read again below
    stream.seek(start)
    return _read_line_by_line(file, stream, num_lines)


def _unpacked(file: _CsvFile, limit_bytes: int) -> bytes:
    """Return the text in a gzip or zip file, and that of any other as it is.

    The first bytes decide: Kaggle's own client saves zip files under the name of the CSV file.
    """
    try:
        with file.path.open("rb") as stream:
            magic = stream.read(2)
            stream.seek(0)
            opened: IO[bytes] | gzip.GzipFile = stream
            if magic == b"\x1f\x8b":
                opened = gzip.GzipFile(fileobj=stream)
            elif magic == b"PK":
                opened = _zip_member(stream, file.path.name.partition(".csv")[0] + ".csv")
            # in pieces: `read` takes at once all the memory that it may need
            read = io.BytesIO()
            while read.tell() <= limit_bytes and (piece := opened.read(_PIECE_BYTES)):
                read.write(piece)
    except MemoryError:
        raise
    except Exception as error:  # damaged archives raise a dozen kinds
        refusal = error.strerror if isinstance(error, OSError) else None
        remedy = f"mend its rights or {file.remedy}" if refusal else file.remedy
        raise DataError(f"cannot read {file.path} ({refusal or error}); {remedy}") from error
    if read.tell() > limit_bytes:
        raise file.error(f"expected at most {limit_bytes:,} bytes, found more")
    return read.getvalue()


def _zip_member(stream: IO[bytes], name: str) -> IO[bytes]:
    """Open a file in an archive, in whatever folder it lies there."""
    archive = zipfile.ZipFile(stream)
    for path in archive.namelist():
        if PurePosixPath(path).name == name:
            return archive.open(path)
    raise LookupError(f"the archive holds no {name}")


def _skip_header(file: _CsvFile, stream: io.TextIOWrapper) -> int:
    """Go to the first row and return how many lines stand before it.

    A header may be absent: a first line whose first field is a number is a row.
    """
    columns = file.columns
    names = [name.strip('" \t\r\n').lower() for name in stream.readline().split(",")]
    if len(names) != len(columns):
        wanted = f"{len(columns)} columns (label,pixel1,...,{columns[-1]})"
        raise file.error(f"line 1: expected {wanted}, found {len(names):,}")
    if names[0][:1].isdecimal():
        stream.seek(0)
        return 0
    for position, (wanted, name) in enumerate(zip(columns, names, strict=True), 1):
        if name != wanted:
            raise file.error(f"line 1, column {position}: expected {wanted}, found {name[:20]!r}")
    return 1


def _read_line_by_line(file: _CsvFile, stream: io.TextIOWrapper, num_lines: int) -> "Bytes":
    """Return the rows, or raise DataError for the first field that holds no such number."""
    import numpy as np

    columns = file.columns
    rows = []
    reader = csv.reader(stream, skipinitialspace=True, strict=True)
    try:
        for fields in reader:
            if len(fields) < 2 and not "".join(fields).strip():
                continue  # an empty line
            rows.append(np.array(_numbers(fields, columns), np.uint8))
    except csv.Error as error:  # a quote without an end
        raise file.error(f"line {num_lines + reader.line_num}: {error}") from None
    except ValueError as error:
        raise file.error(f"line {num_lines + reader.line_num}{error}") from None
    return np.stack(rows) if rows else np.empty((0, len(columns)), np.uint8)


def _numbers(fields: Sequence[str], columns: Sequence[str]) -> list[int | None]:
    """Return what the fields of a line hold, or raise ValueError for the first bad column."""
    if len(fields) != len(columns):
        raise ValueError(f": expected {len(columns)} columns, found {len(fields):,}")
    numbers = [_whole_number(field) for field in fields]
    if numbers[0] is not None and numbers[0] > _MAX_LABEL:
        numbers[0] = None
    if None in numbers:
        bad = numbers.index(None)
        wanted = f"expected a whole number in 0..{_MAX_PIXEL if bad else _MAX_LABEL}"
        found = f"found {fields[bad][:20]!r}"
        raise ValueError(f", column {bad + 1} ({columns[bad]}): {wanted}, {found}")
    return numbers


@lru_cache(maxsize=4096)
def _whole_number(field: str) -> int | None:
    """Return the number of 0..255 in a field, None for anything else."""
    if not field.isascii() or "_" in field:
        return None
    try:
        number = float(field)
    except ValueError:
        return None
    return int(number) if number in range(_MAX_PIXEL + 1) else None  # 3.0 is, 0.5 and NaN are not
