"""What an exception of a run means."""

from collections.abc import Callable

import pytest
import torch

from bench import UsageError
from bench.engine.failures import classify, loses_device
from bench.errors import RunError

CUDNN_MESSAGE = "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"
CPU_MESSAGE = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 64 bytes"


def raised(error: Exception) -> Exception:
    """The same error with a traceback."""
    try:
        raise error
    except Exception as caught:
        return caught


PLACE = f"(test_failures.py:{raised.__code__.co_firstlineno + 3})"


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (RunError("diverged", "nan at step 3"), "diverged", "nan at step 3"),
        (RunError("timeout", "two\nlines"), "timeout", "two\nlines"),
        (torch.OutOfMemoryError("CUDA out of memory\nmore"), "out_of_memory", "CUDA out of memory"),
        (MemoryError(), "out_of_memory", "MemoryError"),
        (RuntimeError(CPU_MESSAGE), "out_of_memory", CPU_MESSAGE),
        (RuntimeError("not enough memory: you tried"), "out_of_memory", "not enough memory"),
        (RuntimeError("std::bad_alloc"), "out_of_memory", "std::bad_alloc"),
        (RuntimeError("cuBLAS error:\nCUDA out of memory"), "out_of_memory", "CUDA out of memory"),
        (RuntimeError(CUDNN_MESSAGE), "out_of_memory", CUDNN_MESSAGE),
        (UsageError("plan dp needs more"), "unsupported", "plan dp needs more"),
        (
            RuntimeError("shapes differ\nand more"),
            "crashed",
            f"RuntimeError: shapes differ {PLACE}",
        ),
        (ValueError("bad_alloc"), "crashed", f"ValueError: bad_alloc {PLACE}"),
        (KeyError("layer"), "crashed", f"KeyError: 'layer' {PLACE}"),
        (ValueError("  \n"), "crashed", f"ValueError: ValueError {PLACE}"),
    ],
)
def test_an_error_is_a_status_and_a_line(error: Exception, status: str, reason: str) -> None:
    found, line = classify(raised(error))
    assert (found, line[: len(reason)]) == (status, reason)


def compiler_error(name: str, message: str, inner: Exception | None = None) -> Exception:
    """An error of a class of torch's compiler, which takes a second to import."""
    kind = type(name, (RuntimeError,), {"__module__": "torch._inductor.exc"})
    error: Exception = kind(message)
    vars(error)["inner_exception"] = inner
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            compiler_error("BackendCompilerFailed", "backend='x' raised:\nKey", KeyError("layer")),
            "KeyError: 'layer'",
        ),
        (
            compiler_error("CppCompileError", "C++ compile error\n\nCommand:\ng++ x\na: error: no"),
            "CppCompileError: C++ compile error. a: error: no",
        ),
        (
            compiler_error("Unsupported", "Attempted a call\n  Explanation: none known\n  Hint: x"),
            "Unsupported: Attempted a call. Explanation: none known",
        ),
        (compiler_error("InductorError", ""), "InductorError: InductorError"),
        (compiler_error("InductorError", "x" * 5000), "InductorError: " + "x" * 400),
    ],
)
def test_a_compilers_error_is_a_line(error: Exception, reason: str) -> None:
    status, text = classify(raised(error))
    assert status == "crashed"
    assert text.startswith(f"torch cannot compile it: {reason}")
    assert len(text) < 1100


@pytest.mark.parametrize(
    ("error", "is_lost"),
    [
        (torch.AcceleratorError("CUDA error: an illegal memory access was encountered"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), True),
        (RuntimeError("No CUDA GPUs: no CUDA-capable device is detected"), True),
        (RuntimeError("GPU has fallen off the bus"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), True),
        (RuntimeError("Triton Error [CUDA]: misaligned address"), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"), False),
        (torch.AcceleratorError("CUDA error: out of memory"), False),
        (RuntimeError("cuBLAS error: CUBLAS_STATUS_ALLOC_FAILED"), False),
        (RuntimeError(CUDNN_MESSAGE), False),
        (RuntimeError("Triton Error [CUDA]: out of memory"), False),
        (RuntimeError("shapes differ"), False),
        (RunError("diverged", "the loss became nan"), False),
        (ValueError("CUDA error: no"), False),
    ],
)
def test_some_errors_cost_the_process_its_gpu(error: Exception, *, is_lost: bool) -> None:
    assert loses_device(error) == is_lost


class SpeechlessError(RuntimeError):
    """An exception of a user's that cannot even be told."""

    def __str__(self) -> str:
        raise ValueError("no text")


def caused_by(cause: Exception) -> Exception:
    error = RuntimeError("the step failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("wrap", [caused_by, lambda one: compiler_error("E", "x raised:", one)])
def test_what_a_compiler_or_a_model_wraps_is_looked_at(wrap: Callable[..., Exception]) -> None:
    taken = wrap(torch.OutOfMemoryError("CUDA out of memory"))
    assert classify(taken) == ("out_of_memory", "CUDA out of memory")
    assert not loses_device(taken)
    assert loses_device(wrap(torch.AcceleratorError("CUDA error: an illegal memory access")))


def capturing(error: Exception) -> Exception:
    """What comes of an error inside of `torch.cuda.graph`, whose end raises another one."""
    try:
        try:
            raise error
        finally:
            raise torch.AcceleratorError("CUDA error: operation failed due to a previous error")
    except RuntimeError as caught:
        return caught


def test_what_a_broken_capture_hides_is_looked_at() -> None:
    hidden = capturing(torch.OutOfMemoryError("CUDA out of memory"))
    assert classify(hidden) == ("out_of_memory", "CUDA out of memory")
    assert loses_device(hidden)  # its current stream may still be the one that was captured


def test_what_an_error_was_raised_beside_counts_only_where_it_says_so() -> None:
    error = ValueError("no such layer")
    error.__context__ = MemoryError()
    assert classify(error)[0] == "out_of_memory"
    error.__suppress_context__ = True  # as `from None` does
    assert classify(error)[0] == "crashed"


def test_errors_that_wrap_each_other_in_a_ring_end() -> None:
    error = caused_by(KeyError("a"))
    error.__cause__.__cause__ = error  # type: ignore[union-attr]
    assert classify(error)[0] == "crashed"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SpeechlessError(), "SpeechlessError: SpeechlessError (no traceback)"),
        (ValueError("x"), "ValueError: x (no traceback)"),
        (
            compiler_error("InductorError", "x", SpeechlessError()),
            "torch cannot compile it: SpeechlessError: SpeechlessError; use plan eager",
        ),
    ],
)
def test_what_cannot_be_told_is_told_by_its_kind(error: Exception, reason: str) -> None:
    assert classify(error) == ("crashed", reason)
    assert not loses_device(error)


def test_what_the_cpu_allocator_really_says_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert classify(caught.value)[0] == "out_of_memory"
