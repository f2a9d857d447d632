"""The rows of a CSV file: pandas reads them, a second look says what is wrong, and where."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

    from data_pipeline.sources.arrays import Bytes

REMEDY = "put Kaggle's file there, or remove both CSV files and run `fmnist-bench doctor --fetch`"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # what Excel puts before UTF-8
_CHUNK_ROWS = 2_000  # bounds host memory; more are no faster
_MAX_LABEL, _MAX_PIXEL = 9, 255
_LABELS = frozenset(str(number).encode() for number in range(_MAX_LABEL + 1))
_PIXELS = frozenset(str(number).encode() for number in range(_MAX_PIXEL + 1))


@dataclass(frozen=True, slots=True)
class CsvTable:
    """What a CSV file must hold: its name, the number of rows below the header, pixels a row."""

    name: str
    num_rows: int
    num_pixels: int

    @property
    def columns(self) -> list[str]:
        """The names in the header."""
        return ["label", *(f"pixel{number}" for number in range(1, self.num_pixels + 1))]

    @property
    def image_shape(self) -> tuple[int, int]:
        """H, W."""
        side = isqrt(self.num_pixels)
        return side, side


@dataclass(frozen=True, slots=True)
class CsvText:
    """The bytes of a CSV file, where they come from and what they must hold."""

    path: Path
    content: bytes
    table: CsvTable

    def error(self, what: str) -> DataError:
        """Return the one line that names the file and the remedy."""
        return DataError(f"{self.path}: {what}; {REMEDY}")

    def num_lines(self) -> int:
        """Return the number of lines, without empty ones at the end."""
        return self.content.rstrip().count(b"\n") + 1

    def num_rows(self) -> int:
        """Return the number of lines below the header, whatever they hold.

        Raises:
            DataError: the first line is neither the header nor a row.
        """
        return self.num_lines() - self.content.count(b"\n", 0, start_of_rows(self))


def start_of_rows(text: CsvText) -> int:
    """Return where the rows begin, in bytes: after the header, which a file may lack.

    A first line whose first field is a number is a row.

    Raises:
        DataError: the file is empty, its first line no text, or another header.
    """
    content, columns = text.content, text.table.columns
    if not content or content.isspace():
        raise text.error("is empty")
    begin = len(_BYTE_ORDER_MARK) if content.startswith(_BYTE_ORDER_MARK) else 0
    end = content.find(b"\n") + 1 or len(content)
    try:
        names = [_bare(name) for name in content[begin:end].decode().split(",")]
    except UnicodeDecodeError:
        raise text.error("line 1: expected text in UTF-8, found other bytes") from None
    if len(names) != len(columns):
        wanted = f"{len(columns)} columns (label,pixel1,...,{columns[-1]})"
        raise text.error(f"line 1: expected {wanted}, found {len(names):,}")
    if _number(names[0]) is not None:
        return begin
    for position, (wanted, name) in enumerate(zip(columns, names, strict=True), 1):
        if name.lower() != wanted:
            raise text.error(f"line 1, column {position}: expected {wanted}, found {name[:20]!r}")
    return end


def parse_rows(text: CsvText) -> "tuple[Bytes, Bytes]":
    """Return images (N, H, W) and labels (N,), both uint8.

    Empty lines are skipped. A whole number may be written as `3.0`, or in quotes.

    Raises:
        DataError: names the first line, and the column, that is not what the table says.
    """
    import numpy as np

    start = start_of_rows(text)
    try:
        chunks = list(_read_chunks(text, start))
    except (ValueError, OverflowError) as error:
        fault = _first_fault(text, start) or f"pandas cannot read it ({_one_line(error)})"
        raise text.error(fault) from error
    found, wanted = sum(map(len, chunks)), text.table.num_rows
    if found != wanted:
        raise text.error(f"expected {wanted:,} rows, found {found:,}")
    rows = np.concatenate(chunks)
    images = np.ascontiguousarray(rows[:, 1:]).reshape(-1, *text.table.image_shape)
    return images, np.ascontiguousarray(rows[:, 0])


def _read_chunks(text: CsvText, start: int) -> "Iterator[Bytes]":
    """Yield rows (n, 1 + pixels); what is no table of such numbers raises ValueError."""
    import numpy as np
    import pandas as pd

    stream = io.BytesIO(text.content)
    stream.seek(start)
    limits = np.full(1 + text.table.num_pixels, float(_MAX_PIXEL))
    limits[0] = _MAX_LABEL
    try:  # low_memory would warn of a column with numbers and words
        frames = pd.read_csv(stream, header=None, low_memory=False, chunksize=_CHUNK_ROWS)
    except pd.errors.EmptyDataError:
        return
    with frames:
        for frame in frames:
            yield _as_bytes(frame, limits)


def _as_bytes(frame: "DataFrame", limits: "NDArray[np.float64]") -> "Bytes":
    """Return the frame as uint8, which changes no value; otherwise raise ValueError.

    Asking pandas itself for uint8 is not enough: it makes 1 of `True`.
    """
    import numpy as np

    if frame.shape[1] != len(limits) or not {kind.kind for kind in frame.dtypes} <= set("iuf"):
        raise ValueError("it is no table of numbers")
    numbers = frame.to_numpy(np.float64)  # an absent one is NaN, which fails all three
    if not ((numbers >= 0) & (numbers <= limits) & (numbers == np.floor(numbers))).all():
        raise ValueError("there are other numbers in it")
    return numbers.astype(np.uint8)


def _first_fault(text: CsvText, start: int) -> str | None:
    """Say what is wrong in which line and column, None if every field looks good."""
    stream = io.BytesIO(text.content)
    stream.seek(start)
    columns = text.table.columns
    for line_number, line in enumerate(stream, 1 + text.content.count(b"\n", 0, start)):
        fields = line.strip().split(b",")
        if fields == [b""]:
            continue
        if len(fields) != len(columns):
            return f"line {line_number}: expected {len(columns)} columns, found {len(fields):,}"
        if fields[0] in _LABELS and _PIXELS.issuperset(fields):
            continue
        for position, field in enumerate(fields):
            limit = _MAX_PIXEL if position else _MAX_LABEL
            if not _is_whole(field, limit):
                place = f"line {line_number}, column {position + 1} ({columns[position]})"
                return f"{place}: expected a whole number in 0..{limit}, found {_shown(field)}"
    return None


def _is_whole(field: bytes, limit: int) -> bool:
    number = _number(_bare(field.decode("utf-8", "backslashreplace")))
    return number is not None and 0 <= number <= limit and number.is_integer()


def _bare(field: str) -> str:
    """Return a field without blanks and quotes."""
    return field.strip().strip('"').strip()


def _number(field: str) -> float | None:
    """Return the number that pandas too reads in a field, None for anything else."""
    try:
        return None if "_" in field or not field.isascii() else float(field)
    except ValueError:
        return None


def _shown(field: bytes) -> str:
    return repr(field[:20].decode("utf-8", "backslashreplace"))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
