"""Files that crashes leave whole: lines that several processes append, and new contents."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TORN_MARK = b"#torn"
NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}  # of a folder
LOCK_PATIENCE_S, LOCK_POLL_S = 60.0, 0.02  # an append takes milliseconds
NO_LOCKS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS}  # as some networks' disks


@dataclass(frozen=True)
class LineFile:
    """A file of lines while nobody else appends to it."""

    path: Path
    descriptor: int  # open for appending
    is_locked: bool  # whether the file system keeps other writers out; some know no locks

    def append(self, line: bytes) -> None:
        """Write a line in one write, durably; seal a line before it that was cut short.

        Raises:
            OSError: The disk refused it. What it took of the line is taken back where no other
                writer can have gone on after it, so that a line that somebody adds by hand, as
                with `cat >>`, begins a line too. Otherwise it stays: the next writer seals it.
        """
        size = self.num_bytes()
        if size == 0:  # new, or of a writer that died before this
            sync_folder(self.path.parent)
        elif os.pread(self.descriptor, 1, size - 1) != b"\n":
            line = TORN_MARK + b"\n" + line
        written = os.write(self.descriptor, line)
        try:
            if written != len(line):
                raise OSError(errno.ENOSPC, "it took only a part of a record; is the disk full?")
            os.fsync(self.descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                if self.is_locked and self.num_bytes() == size + written:
                    os.ftruncate(self.descriptor, size)
            raise

    def num_bytes(self) -> int:
        """Its size now."""
        return os.fstat(self.descriptor).st_size


@contextlib.contextmanager
def open_lines(path: Path) -> Iterator[LineFile]:
    """Open a file for appending, made where it is missing, and keep other writers out.

    Raises:
        OSError: It cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        yield LineFile(path, descriptor, _lock(descriptor))
    finally:
        os.close(descriptor)  # and with it the lock goes


def write_whole(path: Path, content: bytes) -> None:
    """Put a file into its place so that whoever reads it meanwhile finds the old or the new one.

    Raises:
        OSError: The disk refused it; nothing of it is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):  # what went wrong before is what counts
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last, where the file system knows how to."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Wait until no other writer is at work; False where the file system knows no locks.

    Raises:
        OSError: another one keeps the file, as a process that was stopped would for ever.
    """
    import fcntl  # here, so that records can be read where there is none

    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise OSError(error.errno, "another process keeps it locked") from None
            time.sleep(LOCK_POLL_S)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            return False
        else:
            return True
