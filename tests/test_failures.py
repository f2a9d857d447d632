"""What an exception of a run means."""

import pytest
import torch

from bench import UsageError
from bench.errors import RunError
from bench.failures import classify

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


def test_an_error_without_a_traceback_has_no_place() -> None:
    assert classify(ValueError("x")) == ("crashed", "ValueError: x (no traceback)")


def test_what_the_cpu_allocator_really_says_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert classify(caught.value)[0] == "out_of_memory"
