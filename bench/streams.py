"""Standard streams that end no sweep: whoever read them may be gone, or they were closed."""

import errno
import io
import os
import sys

READER_GONE = {errno.EPIPE, errno.EIO}  # a pipe's; a terminal's


def settle_streams() -> None:
    """Opens what was closed, and lets nothing fail because stderr cannot be written.

    A file opened later would get the number of a closed stream, and with it what is said there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if not _is_open(number):
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            os.set_inheritable(number, True)
            stream = open(number, "r" if number == 0 else "w", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    if sys.stderr is sys.__stderr__:  # not a test's
        outlast_reader("stderr")


def outlast_reader(name: str) -> None:
    """Lets what is written to stdout or stderr never fail: what nobody can read is not said."""
    stream = getattr(sys, name)
    if isinstance(stream, io.TextIOWrapper):
        setattr(sys, name, _Lasting(stream))


def silence(number: int) -> None:
    """Lets a stream whose reader is gone end in nothing, at the interpreter's exit too."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, number)
    os.close(nothing)


class _Lasting(io.TextIOWrapper):
    """A stream that takes everything, whether or not it can be told to anybody."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(
            stream.buffer,
            stream.encoding,
            stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self._original = stream  # which would close the buffer with it

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            silence(self.fileno())
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            silence(self.fileno())


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
