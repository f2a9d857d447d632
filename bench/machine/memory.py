"""Peak memory of a training: the CUDA allocator's own figure, or the growth of a CPU process.

On CUDA it is `max_memory_allocated` over the windows of training: weights, gradients, optimizer
state, activations and the resident data. On a CPU the process also holds Python and torch, so the
figure is the growth of the peak resident set in the first window over its level after warm-up
(gradients, optimizer state, activations), plus the weights, which were there already and whose size
is known exactly. Evaluation is left out.
"""

import contextlib
import ctypes
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import torch
from torch import nn, optim

from bench.machine.memory_limit import status_bytes

CLEAR_REFS = Path("/proc/self/clear_refs")
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
RESET_PEAK = "5"  # proc(5): the peak resident set becomes the present one


class MemoryMeter(Protocol):
    """Peak bytes over all windows between `open` and `close`."""

    def open(self) -> None:
        """Forget what the process peaked at outside the windows."""

    def close(self) -> None:
        """Take the peak of this window into account."""

    def peak_bytes(self) -> tuple[float | None, str]:
        """Bytes at the peak, or None and the reason."""


class CudaMemoryMeter:
    """The caching allocator of one device, the first of several under DataParallel."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.peak = 0

    def open(self) -> None:
        """Reset the allocator's peak."""
        torch.cuda.reset_peak_memory_stats(self.device)

    def close(self) -> None:
        """Keep the higher peak."""
        self.peak = max(self.peak, torch.cuda.max_memory_allocated(self.device))

    def peak_bytes(self) -> tuple[float | None, str]:
        """Bytes allocated to tensors at the peak."""
        return float(self.peak), ""


class CpuMemoryMeter:
    """The resident set of this process, from Linux's /proc."""

    def __init__(self, model_bytes: int) -> None:
        self.model_bytes = model_bytes  # with the optimizer state that is there beforehand
        self.baseline: int | None = None
        self.peak = 0

    def open(self) -> None:
        """Give freed memory back to the system, then reset the peak to what is left.

        Only the first window is looked at: every step allocates alike, and to give the heap back
        before each window would make each begin with page faults, on the clock.
        """
        if self.baseline is not None:
            return
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # else it would hold the warm-up's peak
            ctypes.CDLL(None).malloc_trim(0)
        with contextlib.suppress(OSError):  # not Linux, or a sandbox: peak_bytes says so
            CLEAR_REFS.write_text(RESET_PEAK, encoding="ascii")
            self.baseline = status_bytes("VmRSS")

    def close(self) -> None:
        """Keep the peak of the first window."""
        if self.baseline is not None and not self.peak:
            self.peak = status_bytes("VmHWM")

    def peak_bytes(self) -> tuple[float | None, str]:
        """Weights plus the growth of the peak resident set, in bytes."""
        if self.baseline is None:
            return None, "this system does not let a process reset its peak resident set"
        return float(self.model_bytes + max(self.peak - self.baseline, 0)), ""


@contextlib.contextmanager
def peak_of_graphs(device: torch.device) -> Iterator[list[int]]:
    """Bytes at the peak of the block, one number once it is over; empty on a CPU.

    The warm-up of a CUDA graph runs its steps uncaptured. Their activations are the graph's, whose
    replays the allocator does not see.
    """
    peaks: list[int] = []
    if device.type != "cuda":
        yield peaks
        return
    torch.cuda.reset_peak_memory_stats(device)
    yield peaks
    peaks.append(torch.cuda.max_memory_allocated(device))


def model_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers."""
    return sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))


def state_bytes(optimizer: optim.Optimizer) -> int:
    """Bytes of all tensors in an optimizer's state."""
    values = [value for state in optimizer.state.values() for value in state.values()]
    return sum(value.nbytes for value in values if isinstance(value, torch.Tensor))


def keep_freed_memory() -> None:
    """Make glibc keep freed blocks for the next step instead of giving them back to the kernel.

    By default every tensor above 32 MB, and often smaller ones, is mapped afresh and faulted in
    page by page at each step: 42 against 27 ms a step of FashionCNN at batch 128 on two cores
    (medians of 12 steps, two interleaved turns each). No effect without glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
