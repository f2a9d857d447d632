"""The training clock: windows of time in which nothing but training happens.

The device is synchronised at window edges only. Inside a window, marks tell how long each
stretch of steps took: on a CPU readings of the monotonic clock, on CUDA events on the stream.
"""

import time
from typing import Protocol, TypeAlias

import torch

Mark: TypeAlias = float | torch.cuda.Event


class Clock(Protocol):
    """Seconds on one device. A test passes one that counts."""

    lag: int
    """Marks between the latest and the newest one that can be read without draining the device."""

    def synchronize(self) -> None:
        """Wait until the device has done all it was given."""

    def now(self) -> float:
        """Host seconds, monotonic."""

    def mark(self) -> Mark:
        """Mark this place in the device's work."""

    def seconds_between(self, start: Mark, end: Mark) -> float:
        """Device seconds from one mark to a later one, waiting for that one."""


class CpuClock:
    """Work on a CPU is done when the call returns, so host time is device time."""

    lag = 0
    now = mark = staticmethod(time.perf_counter)

    def synchronize(self) -> None:
        """Nothing is ever outstanding."""

    def seconds_between(self, start: Mark, end: Mark) -> float:
        """Difference of the two readings."""
        assert isinstance(start, float)
        assert isinstance(end, float)
        return end - start


class CudaClock:
    """Work on a GPU is queued: events measure it; waiting for the last but one drains nothing."""

    lag = 1
    now = staticmethod(time.perf_counter)

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def synchronize(self) -> None:
        """Wait for every stream of the device."""
        torch.cuda.synchronize(self.device)

    def mark(self) -> Mark:
        """An event recorded on the current stream."""
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event

    def seconds_between(self, start: Mark, end: Mark) -> float:
        """Seconds of the stream between two events; waits for the later one."""
        assert isinstance(start, torch.cuda.Event)
        assert isinstance(end, torch.cuda.Event)
        end.synchronize()
        return float(start.elapsed_time(end)) / 1000.0


def make_clock(device: torch.device) -> Clock:
    """The clock that fits the device."""
    return CudaClock(device) if device.type == "cuda" else CpuClock()
