"""What an exception of a run means: a status and a reason, decided in this one place."""

import traceback
from pathlib import Path

import torch

from bench.errors import RunError, UsageError, short_line
from bench.machine.memory_limit import limit_text, memory_limit
from fmnist_models.external import message_of, text_of

# a CPU's allocator and the CUDA libraries raise a plain RuntimeError
OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "ALLOC_FAILED",  # cuBLAS's and cuDNN 8's
    "ALLOCATION_FAILED",  # cuDNN 9's
    "bad_alloc",
)
# after these CUDA refuses everything else in this process; to take an error of another kind for
# one of them costs no more than a fresh process
LOST_DEVICE = (
    "CUDA error",
    "CUDA driver error",
    "Triton Error [CUDA]",
    "CUDNN_STATUS_",
    "CUBLAS_STATUS_",
    "device-side assert",
    "illegal memory access",
    "unspecified launch failure",
    "fallen off the bus",
    "no CUDA-capable device",
    "uncorrectable ECC error",
)
COMPILERS = ("torch._dynamo", "torch._inductor", "torch.fx")


def classify(error: BaseException) -> tuple[str, str]:
    """Status and one-line reason of a run that raised."""
    if isinstance(error, RunError):
        return error.status, error.reason
    if cause := _want_of_memory(error):
        return "out_of_memory", _limit_note(cause) + short_line(_memory_line(cause))
    message = short_line(message_of(error) or type(error).__name__)
    if isinstance(error, UsageError):
        return "unsupported", message
    if _is_of_compiler(error):
        return "crashed", short_line(f"torch cannot compile it: {_of_compiler(error)}")
    return "crashed", f"{type(error).__name__}: {message} ({_place(error)})"


def loses_device(error: BaseException) -> bool:
    """Whether an error leaves this process without its GPU; out of memory alone does not."""
    return any(_is_of_device(one) and not _is_out_of_memory(one) for one in _with_causes(error))


def _with_causes(error: BaseException) -> list[BaseException]:
    """The error and what it was raised from: compilers wrap what they meet.

    Also what it was raised beside: a CUDA graph that cannot be captured to its end says so, and
    nothing of why.
    """
    found: list[BaseException] = []
    following: object = error
    while isinstance(following, BaseException) and all(following is not one for one in found):
        found.append(following)
        beside = None if following.__suppress_context__ else following.__context__
        following = getattr(following, "inner_exception", None) or following.__cause__ or beside
    return found


def _is_of_device(error: BaseException) -> bool:
    if isinstance(error, getattr(torch, "AcceleratorError", ())):
        return True
    return isinstance(error, RuntimeError) and any(text in text_of(error) for text in LOST_DEVICE)


def _want_of_memory(error: BaseException) -> BaseException | None:
    """The error itself or what it was raised from, whichever says that there is no memory."""
    return next(filter(_is_out_of_memory, reversed(_with_causes(error))), None)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in text_of(error) for text in OUT_OF_MEMORY)


def _memory_line(error: BaseException) -> str:
    """The line of a message that says so; the first where none does."""
    lines = text_of(error).splitlines() or [type(error).__name__]
    return next((line for line in lines if any(text in line for text in OUT_OF_MEMORY)), lines[0])


def _limit_note(error: BaseException) -> str:
    """Names the limit of the host's memory, which that of a GPU has nothing to do with."""
    limit = memory_limit()
    if limit is None or isinstance(error, torch.OutOfMemoryError):
        return ""
    return f"{limit_text(limit)}: "


def _is_of_compiler(error: BaseException) -> bool:
    # by name: to import the compiler would take a second of every run that fails
    return any(kind.__module__.startswith(COMPILERS) for kind in type(error).__mro__)


def _of_compiler(error: BaseException) -> str:
    """The one or two lines of the many that say what a compiler did not like."""
    inner = getattr(error, "inner_exception", None) or error
    lines = [line.strip() for line in text_of(inner).splitlines() if line.strip()]
    complaints = [line for line in lines if " error: " in line or line.startswith("Explanation:")]
    first = lines[0] if lines else type(inner).__name__
    return ". ".join([f"{type(inner).__name__}: {first}".rstrip("."), *complaints[:1]])


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "no traceback"
