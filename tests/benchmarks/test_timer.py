"""The timer waits for a GPU that is in use, and for nothing else."""

import sys
import time
from types import SimpleNamespace

import pytest

from tests.benchmarks.timer import synchronized_s


@pytest.mark.parametrize("is_in_use", [True, False])
def test_the_clock_is_read_after_the_wait(monkeypatch: pytest.MonkeyPatch, is_in_use: bool) -> None:
    events: list[str] = []
    cuda = SimpleNamespace(
        is_initialized=lambda: is_in_use, synchronize=lambda: events.append("wait")
    )

    def read() -> float:
        events.append("read")
        return 7.0

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    monkeypatch.setattr(time, "perf_counter", read)
    assert synchronized_s() == 7.0
    monkeypatch.undo()
    assert events == (["wait", "read"] if is_in_use else ["read"])


@pytest.mark.gpu
def test_the_time_of_a_kernel_is_its_own_and_not_that_of_its_launch() -> None:
    import torch

    matrix = torch.randn(4096, 4096, device="cuda")
    started, begun = synchronized_s(), time.perf_counter()
    for _ in range(50):
        matrix @ matrix
    launched_s = time.perf_counter() - begun
    assert synchronized_s() - started > launched_s
