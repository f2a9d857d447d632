"""What an exception of a run means: a status and a reason, decided in this one place."""

import traceback
from pathlib import Path

import torch

from bench.errors import RunError, UsageError
from fmnist_models.external import message_of

# a CPU's allocator and the CUDA libraries raise a plain RuntimeError
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")


def classify(error: BaseException) -> tuple[str, str]:
    """Status and one-line reason of a run that raised."""
    if isinstance(error, RunError):
        return error.status, error.reason
    message = message_of(error) or type(error).__name__
    if _is_out_of_memory(error, message):
        return "out_of_memory", message
    if isinstance(error, UsageError):
        return "unsupported", message
    return "crashed", f"{type(error).__name__}: {message} ({_place(error)})"


def _is_out_of_memory(error: BaseException, message: str) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in message for text in OUT_OF_MEMORY)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "no traceback"
