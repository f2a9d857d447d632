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
    ],
)
def test_known_errors(error: Exception, status: str, reason: str) -> None:
    found_status, found_reason = classify(raised(error))
    assert found_status == status
    assert found_reason.startswith(reason)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("shapes differ\nand more"), "RuntimeError: shapes differ"),
        (ValueError("can't allocate memory"), "ValueError: can't allocate memory"),
        (KeyError("layer"), "KeyError: 'layer'"),
        (ValueError("  \n"), "ValueError: ValueError"),
    ],
)
def test_anything_else_crashed_and_the_reason_tells_where(error: Exception, reason: str) -> None:
    status, text = classify(raised(error))
    line = raised.__code__.co_firstlineno + 3
    assert (status, text) == ("crashed", f"{reason} (test_failures.py:{line})")


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
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be"),
        RuntimeError("CUDA error: uncorrectable ECC error encountered"),
        RuntimeError("No CUDA GPUs: no CUDA-capable device is detected"),
        RuntimeError("GPU has fallen off the bus"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("Triton Error [CUDA]: misaligned address"),
    ],
)
def test_errors_after_which_a_gpu_is_lost_to_the_process(error: Exception) -> None:
    assert loses_device(error)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("cuBLAS error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
        RuntimeError(CUDNN_MESSAGE),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        RuntimeError("shapes differ"),
        RunError("diverged", "the loss became nan"),
        ValueError("CUDA error: no"),
    ],
)
def test_errors_after_which_it_is_not(error: Exception) -> None:
    assert not loses_device(error)


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


def test_an_exception_that_cannot_be_told_is_told_by_its_kind() -> None:
    assert not loses_device(SpeechlessError())
    assert classify(SpeechlessError()) == (
        "crashed",
        "SpeechlessError: SpeechlessError (no traceback)",
    )
    status, reason = classify(compiler_error("InductorError", "x", SpeechlessError()))
    assert (status, reason) == (
        "crashed",
        "torch cannot compile it: SpeechlessError: SpeechlessError",
    )


def test_an_error_without_a_traceback_has_no_place() -> None:
    assert classify(ValueError("x")) == ("crashed", "ValueError: x (no traceback)")


def test_what_the_cpu_allocator_really_says_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert classify(caught.value)[0] == "out_of_memory"
