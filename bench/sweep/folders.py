"""Folders of runs: where a sweep puts its records, and whether it can."""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError

if TYPE_CHECKING:
    from results import RunRecord

ROOM_BYTES = 2**18  # some records and their samples

RUNS = Path("results/runs")


def read_runs(run_dirs: "Sequence[Path] | None", say: "Callable[[str], None]") -> "list[RunRecord]":
    """The records of the named folders, or of the newest run.

    Raises:
        RecordError: there is no run, or a folder has no records.
    """
    from results import read_records

    return read_records(*named_or_newest(run_dirs), say=say)


def named_or_newest(run_dirs: "Sequence[Path] | None") -> "Sequence[Path]":
    """The named folders, or the folder of the newest run.

    Raises:
        RecordError: none is named, and there is no run.
    """
    from results import RecordError
    from results.records.store import newest_run

    newest = newest_run(RUNS)
    folders = run_dirs or ([newest] if newest else [])
    if not folders:
        raise RecordError(f"no run in {RUNS}; make one with `fmnist-bench run`, or name a folder")
    return folders


def new_folder(parent: Path) -> Path:
    """A folder in `parent` named by the time, made here, so that two begun at once share none."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")  # local time: a person looks for it
    names = (f"{stamp}-{count}" if count else stamp for count in range(1000))
    return next(folder for name in names if make_folder(folder := parent / name, is_new=True))


def make_folder(folder: Path, *, is_new: bool = False) -> bool:
    """Makes the folder; False where it should be new and is not."""
    try:
        folder.mkdir(parents=True, exist_ok=not is_new)
    except FileExistsError:
        return False
    except OSError as error:
        raise UsageError(f"cannot write to --out {folder}: {error.strerror}") from None
    return True


def check_takes_records(folder: Path) -> None:
    """Writes a file into the folder and removes it; whatever was made for that goes again.

    Raises:
        UsageError: the folder takes no file: read-only, full, not ours, or no folder.
    """
    try:
        with _made(folder):
            probe = folder / f".probe-{secrets.token_hex(8)}"
            try:
                write_through(probe, os.urandom(ROOM_BYTES))
            finally:
                with contextlib.suppress(OSError):
                    probe.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot write to --out {folder}: {error.strerror}; free space there, or name another"
        ) from None


def write_through(path: Path, content: bytes) -> None:
    """Writes a file down to the disk: some tell only then that they are full."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, and then removed again."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for place in missing:  # from the inside out; one that somebody else has filled stays
            with contextlib.suppress(OSError):
                place.rmdir()
