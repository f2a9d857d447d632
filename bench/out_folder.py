"""Whether a folder takes what a sweep will write into it: asked before anything is trained."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from bench.errors import UsageError

ROOM_BYTES = 2**18  # some records and their samples


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
