"""Find Fashion-MNIST under a root folder, or fetch it there, and verify every byte."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from data_pipeline.sources.csv_files import find_csv, load_csv
from data_pipeline.sources.files import (
    FASHION_MNIST_FILES,
    REMEDY,
    DataFile,
    check_file,
    data_hash,
    exists,
    read_packed,
    unpack,
    write_file,
)
from data_pipeline.sources.places import SOURCES, Say, Source, SourceError

if TYPE_CHECKING:
    from data_pipeline.sources.csv_files import Arrays

FOUND = "found"
CSV = "CSV files"


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Verified data: the folder of their files, the data's hash, where they came from."""

    folder: Path
    data_hash: str
    source: str


def default_root() -> Path:
    """Return the folder of the data: $FMNIST_DATA or else ./data."""
    return Path(os.environ.get("FMNIST_DATA") or "data")


def ensure_data(
    root: Path | None = None,
    *,
    fetch: bool = True,
    say: Say | None = None,
    files: Sequence[DataFile] = FASHION_MNIST_FILES,
    sources: Sequence[Source] = SOURCES,
) -> DataFolder:
    """Return verified data under the root, fetching what is missing.

    Files lie as torchvision expects them, in `<root>/FashionMNIST/raw`; a `.gz` there counts and
    is decoded beside itself. A bad file is reported, never replaced. Where one of them is missing,
    Kaggle's CSV files in the root are used before anything is fetched.

    Args:
        root: the data folder; None for `default_root()`.
        fetch: whether missing files may be fetched; False asks no source.
        say: is told one line of progress at a time.
        files: what the folder must hold; of CSV files, only the numbers of images and pixels.
        sources: where to look for missing files, in order.

    Raises:
        DataError: a file is bad or missing, or the root cannot be used.
    """
    return find_or_fetch(root, fetch=fetch, say=say, files=files, sources=sources)[0]


def find_or_fetch(
    root: Path | None = None,
    *,
    fetch: bool = True,
    say: Say | None = None,
    files: Sequence[DataFile] = FASHION_MNIST_FILES,
    sources: Sequence[Source] = SOURCES,
) -> "tuple[DataFolder, Arrays | None]":
    """Return what `ensure_data` does, and what CSV files hold, as these are read anyway.

    The arguments and errors are those of `ensure_data`.
    """
    root = Path(root or default_root())
    try:
        root = root.expanduser()
    except RuntimeError as error:
        raise DataError(f"{root}: there is no such user here; name the folder in full") from error
    folder = root / "FashionMNIST" / "raw"
    with _one_line(f"cannot use the data folder {root}"):
        missing = [file for file in files if not _find(folder, file, files)]
        csv_paths = find_csv(root) if missing else None
    if csv_paths:
        arrays, found_hash = load_csv(csv_paths, files)
        official = data_hash(files)
        if say and found_hash != official:
            say(
                f"the CSV files in {root} hold other images, or another order of them, than the "
                "official files: their results are comparable among themselves only "
                f"(data hash {found_hash}, not {official})"
            )
        return DataFolder(root, found_hash, CSV), arrays
    source = FOUND
    if missing:
        say = say or (lambda _line: None)
        source = _fetch(folder, missing, files, sources if fetch else (), say)
    return DataFolder(folder, data_hash(files), source), None


def _find(folder: Path, file: DataFile, files: Sequence[DataFile]) -> bool:
    """Tell whether a good file lies in the folder; a bad one raises DataError."""
    path, packed = folder / file.name, folder / file.packed_name
    if exists(path):
        check_file(path, file, files)
        return True
    if not exists(packed):
        return False
    try:
        content = unpack(read_packed(packed, file), packed, file, files)
    except ValueError as error:
        raise DataError(f"{error}; {REMEDY}") from error
    write_file(path, content)
    return True


def _fetch(
    folder: Path,
    missing: Sequence[DataFile],
    files: Sequence[DataFile],
    sources: Sequence[Source],
    say: Say,
) -> str:
    """Fill the folder from the first source that has good files and return the source's name."""
    names = ", ".join(file.name for file in missing)
    if not sources:
        raise DataError(f"{folder}: no {names}; run `fmnist-bench doctor --fetch`")
    cannot_write = f"cannot write to the data folder {folder}"
    with _one_line(cannot_write):  # before a long download that could not be kept
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        write_file(probe, b"")
        probe.unlink(missing_ok=True)  # a second process may have removed it
    reasons = []
    for source in sources:
        try:
            packed = source.read(missing, say)
            contents = {
                file.name: unpack(packed[file.name], file.packed_name, file, files)
                for file in missing
            }
        except (SourceError, ValueError) as error:
            reasons.append(f"{source.name} ({' '.join(str(error).split())})")
            say(f"no data from {reasons[-1]}")
            continue
        with _one_line(cannot_write):
            for name, content in contents.items():
                write_file(folder / name, content)
        return source.name
    raise DataError(
        f"no Fashion-MNIST from {', '.join(reasons)}; "
        f"put {names} (or the same with .gz) into {folder} by hand"
    )


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Turn the system's refusal into one line with the remedy."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{what}: {error.strerror or error}; "
            "name another folder with FMNIST_DATA=/path/to/data or mend its rights"
        ) from error
