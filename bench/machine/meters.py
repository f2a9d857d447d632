"""The meters of a training: seconds, joules and peak bytes over its windows."""

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn, optim

from bench.errors import RunError
from bench.machine import nvml, rapl
from bench.machine.clock import Clock, Mark, make_clock
from bench.machine.memory import (
    CpuMemoryMeter,
    CudaMemoryMeter,
    MemoryMeter,
    model_bytes,
    state_bytes,
)
from bench.machine.nvml import MIN_WINDOW_S, Sampler, counting, open_gpu
from bench.machine.rapl import open_rapl

STOPPED = "the energy counter stopped answering"


class EnergyCounter(Protocol):
    """What counts the joules of a device: a GPU's NVML, or the RAPL of the processors."""

    @property
    def energy_method(self) -> str:
        """Its name in records."""

    @property
    def min_window_s(self) -> float:
        """Seconds below which it resolves nothing."""

    def energy_joules(self) -> float | None:
        """Joules since some moment in the past; None where it does not answer."""

    def power_watts(self) -> float | None:
        """Power drawn now, where it tells that."""

    def keep_up(self) -> None:
        """Called all through a training: what wraps may be read here."""


@dataclass
class Meters:
    """Opened before training, closed around everything that is not training."""

    clock: Clock
    memory: MemoryMeter
    counter: EnergyCounter | None = None  # None where none answers
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
        self._opened_joules = self.counter.energy_joules() if self.counter else None
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
            elif self.counter:  # a counter that fails once is not read again
                self.counter, self.no_energy = None, STOPPED
            self.memory.close()
        finally:
            if self.sampler:
                self.sampler.close()

    def _joules_spent(self) -> float | None:
        """Joules since the window was opened."""
        now = self.counter.energy_joules() if self.counter else None
        return None if now is None or self._opened_joules is None else now - self._opened_joules

    def seconds_at(self, mark: Mark) -> float:
        """Training seconds at a mark of the open window."""
        if self.counter:
            self.counter.keep_up()
        return self.seconds + self.clock.seconds_between(self._opened, mark)

    def joules_now(self) -> float:
        """Joules spent up to now, the open window included.

        Raises:
            RunError: no counter tells, so that a budget in joules has no end.
        """
        spent = self._joules_spent()
        if spent is None:
            reason = self.no_energy or STOPPED
            raise RunError("crashed" if self.counter else "unsupported", reason)
        return self.joules + spent

    def peak_bytes(self) -> tuple[float | None, str]:
        """Bytes at the peak of all windows, those of earlier processes included, or the reason."""
        own, reason = self.memory.peak_bytes()
        peaks = self.other_peaks if own is None else [own, *self.other_peaks]
        return (max(peaks), "") if peaks else (None, reason)

    @property
    def energy_method(self) -> str | None:
        """Where the joules come from: a counter, or a GPU's power integrated over time."""
        if self.counter:
            return self.counter.energy_method
        return "power" if self.sampler else None

    def energy_j(self) -> tuple[float | None, str]:
        """Joules of all windows, or None and the reason."""
        if self.energy_method is None:
            return None, self.no_energy
        least_s = self.counter.min_window_s if self.counter else MIN_WINDOW_S
        if self.seconds < least_s:
            short = f"{self.seconds:.2f} s of training are less than {least_s:g} s"
            return None, f"unresolved: {short}"
        if self.counter is None and self.sampler is not None:
            return self.sampler.energy_j(self.seconds)
        return self.joules, ""


def make_meters(
    device: torch.device,
    model: nn.Module,
    optimizer: optim.Optimizer | None = None,
    *,
    is_parallel: bool = False,
) -> Meters:
    """Clock, memory and energy meters that fit the device; energy of one GPU or of the CPUs."""
    held_bytes = model_bytes(model) + (state_bytes(optimizer) if optimizer else 0)
    memory = CudaMemoryMeter(device) if device.type == "cuda" else CpuMemoryMeter(held_bytes)
    clock = make_clock(device)
    if is_parallel:
        return Meters(clock, memory, no_energy="plan dp: NVML is read for one GPU only")
    if device.type == "cpu":
        return Meters(clock, memory, *open_rapl())
    gpu, no_nvml = open_gpu(device)
    if gpu is None:
        return Meters(clock, memory, no_energy=no_nvml)
    return Meters(clock, memory, *counting(gpu), Sampler(gpu, clock.now))


def open_energy_counter(device: torch.device) -> tuple[EnergyCounter | None, str]:
    """What counts the energy of a device, if it answers, else None and the reason."""
    if device.type == "cpu":
        return open_rapl()
    gpu, no_nvml = open_gpu(device)
    return (None, no_nvml) if gpu is None else counting(gpu)


def measure_idle_power(device: torch.device) -> tuple[float | None, str]:
    """Watts of a device while it has nothing to do, or None and the reason; about a second."""
    if device.type == "cpu":
        return rapl.measure_idle_power()
    return nvml.measure_idle_power(device)
