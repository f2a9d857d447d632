"""Find Fashion-MNIST under a root folder, or fetch it there, and verify every byte."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from data_pipeline.sources.csv_files import CSV_NAMES, find_csv, load_csv
from data_pipeline.sources.files import (
    FASHION_MNIST_FILES,
    DataFile,
    data_hash,
    exists,
    fetch_command,
    unpack,
    write_file,
)
from data_pipeline.sources.idx_files import (
    TORCHVISION,
    arrays_of,
    files_in,
    folders_below,
    read_idx,
)
from data_pipeline.sources.places import SOURCES, Say, Source, SourceError

if TYPE_CHECKING:
    from data_pipeline.sources.csv_files import Arrays
    from data_pipeline.sources.idx_files import Contents

VARIABLE = "FMNIST_DATA"
FOUND = "found"
CSV = "CSV files"


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Verified data: the folder of their files, the data's hash, where they came from."""

    folder: Path
    data_hash: str
    source: str


def default_root() -> Path:
    """Return the folder of the data: $FMNIST_DATA or else ./data.

    Raises:
        DataError: it begins with the home of somebody who is not here.
    """
    return _at_home(Path(os.environ.get(VARIABLE) or "data"))


def ensure_data(
    root: Path | None = None,
    *,
    fetch: bool | None = None,
    say: Say | None = None,
    files: Sequence[DataFile] = FASHION_MNIST_FILES,
    sources: Sequence[Source] = SOURCES,
) -> DataFolder:
    """Return verified data under the root, fetching what is missing where that is wanted.

    Looks for the four IDX files, plain or gzipped, and then for Kaggle's two CSV files: in
    `<root>/FashionMNIST/raw`, in the root, and in folders below it that are named after the data
    set. A bad file is reported, never replaced. What is fetched lies as torchvision expects it.

    Args:
        root: the data folder; None for `default_root()`.
        fetch: whether missing files may be fetched; None for only into ./data, which nobody named:
            a folder that somebody did name may be mistyped. False asks no source.
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
    fetch: bool | None = None,
    say: Say | None = None,
    files: Sequence[DataFile] = FASHION_MNIST_FILES,
    sources: Sequence[Source] = SOURCES,
) -> "tuple[DataFolder, Callable[[], Arrays]]":
    """Return what `ensure_data` does, and a function that returns what the files hold.

    The arguments and errors are those of `ensure_data`.
    """
    if fetch is None:
        fetch = root is None and not os.environ.get(VARIABLE)
    root = default_root() if root is None else _at_home(root)
    with _one_line(f"cannot use the data folder {root}"):
        if exists(root) and not root.is_dir():
            raise DataError(f"{root} is no folder; unpack an archive first, and name the folder")
        idx, refusal = _find_idx(root, files)
        csv_paths = None if idx else _find_csv(root)
    if csv_paths:
        return _csv_data(csv_paths, files, root, say)
    if idx:
        folder, contents = idx
        return DataFolder(folder, data_hash(files), FOUND), partial(arrays_of, contents, files)
    if not fetch:
        raise refusal or _nothing_in(root, files)
    source = _fetch(root / TORCHVISION, files, sources, say or (lambda _line: None))
    data, load = find_or_fetch(root, fetch=False, files=files)
    return replace(data, source=source), load


def _at_home(root: Path) -> Path:
    """Put the user's home in place of a `~` that the folder begins with."""
    try:
        return root.expanduser()
    except RuntimeError as error:
        raise DataError(f"{root}: there is no such user here; name the folder in full") from error


def _find_idx(
    root: Path, files: Sequence[DataFile]
) -> "tuple[tuple[Path, Contents] | None, DataError | None]":
    """Return the first folder that has all of the files, and their verified contents.

    Where there is none, say what is wrong with files that were found beside what is ours.

    Raises:
        DataError: one of those that lie as torchvision has them is bad.
    """
    refusal = None
    for folder in folders_below(root):
        paths, is_ours = files_in(folder, files), folder == root / TORCHVISION
        if len(paths) < len(files) and not is_ours:
            continue
        try:
            contents = read_idx(paths, files)
        except ValueError as error:
            remedy = f"{'delete the file and ' if is_ours else ''}run {fetch_command(root)}"
            bad = DataError(f"{error}; name another folder, or {remedy}")
            if is_ours:
                raise bad from error
            refusal = refusal or bad
            continue
        if len(paths) == len(files):
            return (Path(os.path.commonpath(paths.values())), contents), None
    return None, refusal


def _find_csv(root: Path) -> tuple[Path, Path] | None:
    pairs = (find_csv(folder, root) for folder in folders_below(root))
    return next((pair for pair in pairs if pair), None)


def _csv_data(
    paths: tuple[Path, Path], files: Sequence[DataFile], root: Path, say: Say | None
) -> "tuple[DataFolder, Callable[[], Arrays]]":
    arrays, found_hash = load_csv(paths, files, root)
    folder, official = paths[0].parent, data_hash(files)
    if say and found_hash != official:
        say(
            f"the CSV files in {folder} hold other images, or another order of them, than the "
            "official files: their results are comparable among themselves only "
            f"(data hash {found_hash}, not {official})"
        )
    return DataFolder(folder, found_hash, CSV), lambda: arrays


def _nothing_in(root: Path, files: Sequence[DataFile]) -> DataError:
    """Say what was looked for in a folder that has not got all of it."""
    remedy = f"{fetch_command(root)} fetches it there"
    if not exists(root):
        return DataError(f"there is no data folder {root}; name another, or {remedy}")
    folder, found = max(
        ((folder, files_in(folder, files)) for folder in folders_below(root)),
        key=lambda pair: len(pair[1]),
    )
    missing = ", ".join(file.name for file in files if file.name not in found)
    if found:
        return DataError(f"{folder}: no {missing} beside the others; put it there, or {remedy}")
    csv = " and ".join(CSV_NAMES)
    return DataError(
        f"{root} holds no Fashion-MNIST, neither {missing} (or the same with .gz) nor {csv}; "
        f"name another folder, or {remedy}"
    )


def _fetch(folder: Path, files: Sequence[DataFile], sources: Sequence[Source], say: Say) -> str:
    """Fill the folder from the first source that has good files and return the source's name."""
    here = files_in(folder, files)
    missing = [file for file in files if file.name not in here]
    names = ", ".join(file.name for file in missing)
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
        rights = " or mend its rights" if isinstance(error, PermissionError) else ""
        raise DataError(
            f"{what}: {error.strerror or error}; "
            f"name another folder with FMNIST_DATA=/path/to/data{rights}"
        ) from error
