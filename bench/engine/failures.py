"""The status and the reason of a run that raised an exception, decided in this one place."""

import traceback
from collections.abc import Sequence
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
    """Return the status and the one-line reason of a run that raised."""
    if isinstance(error, RunError):
        return error.status, error.reason
    if isinstance(error, SystemExit | KeyboardInterrupt):  # no Ctrl-C, whose status is another
        return "crashed", f"the model {_exit_of(error)} ({_place(error)})"
    # the error itself or what it was raised from, whichever says that there is no memory
    if cause := next(filter(_is_out_of_memory, reversed(_with_causes(error))), None):
        return "out_of_memory", _memory_reason(cause)
    message = short_line(message_of(error) or type(error).__name__)
    if isinstance(error, UsageError):
        return "unsupported", message
    # by name: to import the compiler would take a second of every run that fails
    if any(kind.__module__.startswith(COMPILERS) for kind in type(error).__mro__):
        complaint = _compiler_complaint(error).rstrip(".")
        return "crashed", short_line(f"torch cannot compile it: {complaint}; use plan eager")
    return "crashed", f"{type(error).__name__}: {message} ({_place(error)})"


def _exit_of(error: SystemExit | KeyboardInterrupt) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "raised KeyboardInterrupt"
    return f"called sys.exit({'' if error.code is None else short_line(repr(error.code))})"


def _place(error: BaseException) -> str:
    """Return the file and line that raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "no traceback"


def loses_device(error: BaseException) -> bool:
    """Whether an error leaves this process without its GPU; out of memory alone does not."""
    return any(
        isinstance(one, torch.AcceleratorError) or _says(one, LOST_DEVICE)
        for one in _with_causes(error)
        if not _is_out_of_memory(one)
    )


def _with_causes(error: BaseException) -> list[BaseException]:
    """Return the error and what it was raised from: compilers wrap what they meet.

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


def _is_out_of_memory(error: BaseException) -> bool:
    is_known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return is_known or _says(error, OUT_OF_MEMORY)


def _says(error: BaseException, texts: Sequence[str]) -> bool:
    """Whether it is an error of a library's C++ code whose message has one of these texts."""
    return isinstance(error, RuntimeError) and any(text in text_of(error) for text in texts)


def _memory_reason(error: BaseException) -> str:
    """Quote the line that says so, with the limit of the host's memory where it counts."""
    lines = text_of(error).splitlines() or [type(error).__name__]
    line = next((line for line in lines if any(text in line for text in OUT_OF_MEMORY)), lines[0])
    limit = memory_limit()
    if limit is None or isinstance(error, torch.OutOfMemoryError):  # which is a GPU's
        return short_line(line)
    return f"{limit_text(limit)}: {short_line(line)}"


def _compiler_complaint(error: BaseException) -> str:
    """Return the one or two lines of the many that say what a compiler did not like."""
    inner = getattr(error, "inner_exception", None) or error
    lines = [line.strip() for line in text_of(inner).splitlines() if line.strip()]
    complaints = [line for line in lines if " error: " in line or line.startswith("Explanation:")]
    first = lines[0] if lines else type(inner).__name__
    return ". ".join([f"{type(inner).__name__}: {first}".rstrip("."), *complaints[:1]])
