"""What torch warns of on a GPU and what is of no consequence is not said, and fails no test."""

import warnings

import pytest

from bench.machine.device import prepare_compilers

TF32 = "TensorFloat32 tensor cores for float32 matrix multiplication available but not enabled."
FORK = "This process (pid=7) is multi-threaded, use of fork() may lead to deadlocks in the child."


def test_a_compiler_that_would_like_tf32_is_not_heard() -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        prepare_compilers()
        warnings.warn(TF32, stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    assert [str(warning.message) for warning in heard] == ["something else"]


@pytest.mark.parametrize(("text", "kind"), [(TF32, UserWarning), (FORK, DeprecationWarning)])
def test_what_cannot_be_helped_fails_no_test_on_a_gpu(text: str, kind: type[Warning]) -> None:
    warnings.warn(text, kind, stacklevel=1)
