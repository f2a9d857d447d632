"""Whole lines at the end of a file that several processes append to at once."""

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TORN_MARK = b"#torn"
NO_LOCKS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS}  # as some networks' disks


@dataclass(frozen=True)
class LineFile:
    """A file of lines while nobody else appends to it.

    Attributes:
        path: Of the file.
        descriptor: Of the file, open for appending.
        is_locked: Whether the file system keeps other writers out; some know no locks.
    """

    path: Path
    descriptor: int
    is_locked: bool

    def append(self, line: bytes) -> None:
        """Writes a line in one write, durably; seals a line before it that was cut short.

        Raises:
            OSError: The disk refused it. What it took of the line is taken back where no other
                writer can have gone on after it, so that a line that somebody adds by hand, as
                with `cat >>`, begins a line too. Otherwise it stays: the next writer seals it.
        """
        size = os.fstat(self.descriptor).st_size
        if size == 0:  # new, or of a writer that died before this
            sync_folder(self.path.parent)
        elif os.pread(self.descriptor, 1, size - 1) != b"\n":
            line = TORN_MARK + b"\n" + line
        written = os.write(self.descriptor, line)
        if written != len(line):
            self._take_back(size, written)
            raise OSError(errno.ENOSPC, "it took only a part of a record; is the disk full?")
        os.fsync(self.descriptor)

    def _take_back(self, size: int, written: int) -> None:
        if self.is_locked and os.fstat(self.descriptor).st_size == size + written:
            with contextlib.suppress(OSError):
                os.ftruncate(self.descriptor, size)


@contextlib.contextmanager
def open_lines(path: Path) -> Iterator[LineFile]:
    """Opens a file for appending, made where it is missing, and keeps other writers out.

    Raises:
        OSError: It cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        yield LineFile(path, descriptor, _lock(descriptor))
    finally:
        os.close(descriptor)  # and with it the lock goes


def append_line(path: Path, line: bytes) -> None:
    """Appends one line, whoever else does so at the same time.

    Raises:
        OSError: The disk refused it.
    """
    with open_lines(path) as lines:
        lines.append(line)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Waits until no other writer is at work; False where the file system knows no locks."""
    import fcntl  # here, so that records can be read where there is none

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True
