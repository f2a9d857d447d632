"""The meters of a training: seconds, joules and peak bytes over its windows."""

from dataclasses import dataclass, field

import torch
from torch import nn, optim

from bench.errors import RunError
from bench.machine.clock import Clock, Mark, make_clock
from bench.machine.memory import (
    CpuMemoryMeter,
    CudaMemoryMeter,
    MemoryMeter,
    model_bytes,
    state_bytes,
)
from bench.machine.nvml import Gpu, Sampler, counting, open_gpu

MIN_WINDOW_S = 2.0  # the counter moves every 20 to 100 ms: shorter windows do not resolve it
STOPPED = "the energy counter stopped answering"


@dataclass
class Meters:
    """Opened before training, closed around everything that is not training."""

    clock: Clock
    memory: MemoryMeter
    gpu: Gpu | None = None  # whose energy counter is read; None where none answers
    no_energy: str = ""  # why none does
    sampler: Sampler | None = None  # reads the sensors while windows are open; None without NVML
    seconds: float = 0.0  # of all closed windows by the host's clock, synchronised at both edges
    joules: float = 0.0  # of all closed windows by the counter; stays 0 without one
    other_peaks: list[float] = field(default_factory=list)  # bytes: of graphs, of earlier processes
    _opened: Mark = field(default=0.0, init=False)
    _opened_at: float = field(default=0.0, init=False)
    _opened_joules: float | None = field(default=None, init=False)

    def open(self) -> Mark:
        """Begin a window; return the mark at its start."""
        self.memory.open()
        self.clock.synchronize()
        if self.sampler:
            self.sampler.open(self.seconds)
        self._opened_joules = self.gpu.energy_joules() if self.gpu else None
        self._opened_at = self.clock.now()
        self._opened = self.clock.mark()
        return self._opened

    def close(self) -> None:
        """End the window once the device has done all it was given."""
        try:
            self.clock.synchronize()
            self.seconds += self.clock.now() - self._opened_at
            spent = self._joules_spent()
            if spent is not None:
                self.joules += spent
            elif self.gpu:  # a counter that fails once is not read again
                self.gpu, self.no_energy = None, STOPPED
            self.memory.close()
        finally:
            if self.sampler:
                self.sampler.close()

    def _joules_spent(self) -> float | None:
        """Joules since the window was opened."""
        now = self.gpu.energy_joules() if self.gpu else None
        return None if now is None or self._opened_joules is None else now - self._opened_joules

    def seconds_at(self, mark: Mark) -> float:
        """Training seconds at a mark of the open window."""
        return self.seconds + self.clock.seconds_between(self._opened, mark)

    def joules_now(self) -> float:
        """Joules spent up to now, the open window included.

        Raises:
            RunError: no counter tells, so that a budget in joules has no end.
        """
        spent = self._joules_spent()
        if spent is None:
            reason = self.no_energy or STOPPED
            raise RunError("crashed" if self.gpu else "unsupported", reason)
        return self.joules + spent

    def peak_bytes(self) -> tuple[float | None, str]:
        """Bytes at the peak of all windows, those of earlier processes included, or the reason."""
        own, reason = self.memory.peak_bytes()
        peaks = self.other_peaks if own is None else [own, *self.other_peaks]
        return (max(peaks), "") if peaks else (None, reason)

    @property
    def energy_method(self) -> str | None:
        """Where the joules come from: the card's counter, or power integrated over time."""
        if self.gpu:
            return "counter"
        return "power" if self.sampler else None

    def energy_j(self) -> tuple[float | None, str]:
        """Joules of all windows, or None and the reason."""
        if self.energy_method is None:
            return None, self.no_energy
        if self.seconds < MIN_WINDOW_S:
            short = f"{self.seconds:.2f} s of training are less than {MIN_WINDOW_S:g} s"
            return None, f"unresolved: {short}"
        if self.gpu is None and self.sampler is not None:
            return self.sampler.energy_j(self.seconds)
        return self.joules, ""


def make_meters(
    device: torch.device,
    model: nn.Module,
    optimizer: optim.Optimizer | None = None,
    *,
    is_parallel: bool = False,
) -> Meters:
    """Clock, memory and energy meters that fit the device; energy of one GPU alone."""
    held_bytes = model_bytes(model) + (state_bytes(optimizer) if optimizer else 0)
    memory = CudaMemoryMeter(device) if device.type == "cuda" else CpuMemoryMeter(held_bytes)
    clock = make_clock(device)
    if is_parallel:
        return Meters(clock, memory, no_energy="plan dp: NVML is read for one GPU only")
    gpu, no_nvml = open_gpu(device)
    if gpu is None:
        return Meters(clock, memory, no_energy=no_nvml)
    return Meters(clock, memory, *counting(gpu), Sampler(gpu, clock.now))
