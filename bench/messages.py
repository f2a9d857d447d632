"""What a child tells its parent over the pipe: JSON frames, and arrays as .npz bytes.

No pickles: the child runs user code, and the parent must not execute what comes from there.
"""

import io
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import orjson

if TYPE_CHECKING:
    from bench.runner import RunResult
    from bench.training import Progress

PROGRESS, RECORD, ANSWER, REFUSAL = "progress", "record", "answer", "refusal"


def send(pipe: Connection, kind: str, content: Any = None) -> None:  # noqa: ANN401 - JSON
    """Sends one JSON frame."""
    pipe.send_bytes(orjson.dumps({"kind": kind, "content": content}))


def receive(pipe: Connection) -> tuple[str, Any]:
    """Kind and content of the next frame.

    Raises:
        EOFError: the child has closed the pipe.
        ValueError: the frame is none of ours.
    """
    message = orjson.loads(pipe.recv_bytes())
    if not isinstance(message, dict) or "kind" not in message:
        raise ValueError("the child wrote something into the pipe that is no message")
    return message["kind"], message.get("content")


def progress_content(seed: int, phase: str, progress: "Progress | None") -> dict[str, Any]:
    """Seed, phase and progress as JSON values."""
    values = progress._asdict() if progress else None
    return {"seed": seed, "phase": phase, "progress": values}


def send_result(pipe: Connection, result: "RunResult") -> None:
    """Sends a record, then its samples in a frame of their own."""
    import numpy as np

    send(pipe, RECORD, result.record.to_json_line().decode())
    packed = io.BytesIO()
    np.savez(packed, **result.samples)
    pipe.send_bytes(packed.getvalue())


def receive_samples(pipe: Connection) -> dict[str, Any]:
    """The arrays of the frame that follows a record; pickled objects in it are refused.

    Raises:
        EOFError: the child has closed the pipe.
        ValueError: the frame is no .npz file, or a broken one.
    """
    import numpy as np

    frame = pipe.recv_bytes()
    try:
        with np.load(io.BytesIO(frame), allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, TypeError, EOFError, BadZipFile) as error:
        raise ValueError(f"the child sent samples that are no arrays: {error}") from None
