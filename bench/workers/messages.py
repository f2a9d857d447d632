"""What a child tells its parent over the pipe: JSON frames, and arrays as .npz bytes.

No pickles: the child runs user code, and the parent must not execute what comes from there. Nor may
it wait for ever or run out of memory over it, whatever is written into the pipe: a frame is read as
its bytes come, up to a limit, and every message is checked before anybody looks into it.
"""

import io
import math
import os
import select
import struct
import time
import zipfile
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

import msgspec

from bench.errors import RunError, short_line

if TYPE_CHECKING:
    from bench.run.record import RunResult

PROGRESS, RECORD, ANSWER, REFUSAL = "progress", "record", "answer", "refusal"
FAREWELL = "farewell"  # this process is of no use for further seeds
POLL_S = 0.1  # how soon an interruption or a deadline is noticed
MOST_STEP_S = 1.0  # between two looks at a limit; the parent was stopped where there are more
# A record is at most 4 KB, what a gate asks and hears of all models some tens of them.
MAX_MESSAGE_BYTES = 1 << 20
# Up to 24 bytes a step: 22 million steps, an hour at 6,000 a second.
# A child leaves out what would be more.
MAX_SAMPLES_BYTES = 512 << 20
MAX_SHOWN_CHARS = 160  # of what a child says for a person
HEADER = struct.Struct("!i")  # as multiprocessing writes it
CHUNK_BYTES = 1 << 20
RESERVED = {"file", "allow_pickle"}  # np.savez has parameters of these names
NO_MESSAGE = "the child wrote something into the pipe that is no message"
Patience = Callable[[], None]
"""Asked while a frame is awaited or under way; raises when it has been long enough."""


def send(pipe: Connection, kind: str, content: Any = None) -> None:  # noqa: ANN401 - JSON
    """Send one JSON frame."""
    pipe.send_bytes(msgspec.json.encode({"kind": kind, "content": content}))


def send_progress(pipe: Connection, content: Any) -> None:  # noqa: ANN401 - JSON
    """Send progress, or drop it where nobody reads: no training waits for a parent that stopped.

    A pipe that takes anything at all takes a frame as small as this one.
    """
    room = select.poll()
    room.register(pipe.fileno(), select.POLLOUT)
    if room.poll(0):
        send(pipe, PROGRESS, content)


def send_result(pipe: Connection, result: "RunResult") -> None:
    """Send a record, then its samples in a frame of their own."""
    send(pipe, RECORD, result.record.to_json_line().decode())
    pipe.send_bytes(packed_samples(result.samples))


def refuse(pipe: Connection, error: Exception) -> None:
    """Send a mistake of the user's as one line."""
    send(pipe, REFUSAL, short_line(error))


def unexpected(kind: str, content: object) -> RunError:
    """Make the error of a run whose child refuses, or sends a message that makes no sense."""
    if kind == REFUSAL:
        return RunError("crashed", short_line(content))
    shown = repr(kind[:MAX_SHOWN_CHARS])
    return RunError("crashed", f"the child sent a message that nobody expects: {shown}")


class TimeLimit:
    """Seconds of waiting, without those in which the waiting process was stopped itself.

    Ctrl-Z stops the parent alone: what its children said meanwhile lies in the pipe, in time.
    """

    def __init__(self, seconds: float | None) -> None:
        """Start the clock; None is no limit."""
        self._left_s = math.inf if seconds is None else seconds
        self._looked_at = time.monotonic()

    def is_over(self) -> bool:
        """Whether the time is up; to be asked more often than every `MOST_STEP_S`."""
        now = time.monotonic()
        self._left_s -= min(now - self._looked_at, MOST_STEP_S)
        self._looked_at = now
        return self._left_s < 0


def receive(pipe: Connection, patience: Patience | None = None) -> tuple[str, Any]:
    """Kind and content of the next frame.

    Args:
        pipe: where it comes from.
        patience: asked ten times a second, and between the pieces of a frame; None waits for ever.

    Raises:
        EOFError: the child has closed the pipe.
        ValueError: the frame is none of ours.
    """
    frame = _receive_frame(pipe, MAX_MESSAGE_BYTES, patience)
    try:
        message = msgspec.json.decode(frame)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(NO_MESSAGE) from error
    if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
        raise ValueError(NO_MESSAGE)
    return message["kind"], message.get("content")


def receive_samples(pipe: Connection, patience: Patience | None = None) -> dict[str, Any]:
    """The arrays of the frame that follows a record; pickled objects in it are refused.

    Raises:
        EOFError: the child has closed the pipe.
        ValueError: the frame is no .npz file, a broken one, or one that is larger than it seems.
    """
    frame = _receive_frame(pipe, MAX_SAMPLES_BYTES, patience)
    try:
        return unpacked_samples(frame)
    except Exception as error:  # whatever numpy and zipfile make of a stranger's bytes
        reason = short_line(f"{type(error).__name__}: {error}")
        raise ValueError(f"the child sent samples that are no arrays: {reason}") from None


def _receive_frame(pipe: Connection, max_bytes: int, patience: Patience | None) -> bytes:
    """Return the bytes of the next frame; refuse a false length before any time or memory."""
    (size,) = HEADER.unpack(_receive_bytes(pipe, HEADER.size, patience))
    if not 0 <= size <= max_bytes:
        raise ValueError(NO_MESSAGE)
    return _receive_bytes(pipe, size, patience)


def _receive_bytes(pipe: Connection, size: int, patience: Patience | None) -> bytes:
    received = bytearray()  # grows with what has come, whatever is promised
    while len(received) < size:
        if patience is not None:
            patience()
            if not wait([pipe], POLL_S):
                continue
        piece = os.read(pipe.fileno(), min(size - len(received), CHUNK_BYTES))
        if not piece:
            raise EOFError
        received += piece
    return bytes(received)


def packed_samples(samples: Mapping[str, Any]) -> bytes:
    """The arrays as a .npz file without compression."""
    import numpy as np

    packed = io.BytesIO()
    np.savez(packed, **samples)
    return packed.getvalue()


def unpacked_samples(frame: bytes) -> dict[str, Any]:
    """The arrays of a .npz file that takes no more memory than its bytes; raises for any other."""
    import numpy as np

    with zipfile.ZipFile(io.BytesIO(frame)) as packed:
        members = packed.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("they are compressed")
    if sum(member.file_size for member in members) > len(frame):
        raise ValueError("they claim to be larger than they are")
    with np.load(io.BytesIO(frame), allow_pickle=False) as arrays:
        samples = dict(arrays)
    for name, array in samples.items():
        if not name.isidentifier() or name in RESERVED or array.dtype.kind not in "biuf":
            raise ValueError(f"{name} cannot be kept")
    return samples
