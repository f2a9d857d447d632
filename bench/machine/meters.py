"""The meters of a training: seconds, joules and peak bytes over its windows."""

from dataclasses import dataclass, field

import torch
from torch import nn, optim

from bench.errors import RunError
from bench.machine.clock import Clock, Mark, make_clock
from bench.machine.memory import MemoryMeter, make_memory_meter
from bench.machine.nvml import Gpu, counting, open_gpu, resolved_energy
from bench.machine.telemetry import Sampler


@dataclass
class Meters:
    """Opened before training, closed around everything that is not training.

    Attributes:
        gpu: whose energy counter is read; None where there is none that answers.
        no_energy: why there is none.
        sampler: reads the sensors while windows are open; None without NVML.
        seconds: length of all closed windows on the host's clock, synchronised at both edges.
        joules: what the counter says of all closed windows; stays 0 without one.
        earlier_peak: bytes at the peak of the windows of an interrupted process.
    """

    clock: Clock
    memory: MemoryMeter
    gpu: Gpu | None = None
    no_energy: str = ""
    sampler: Sampler | None = None
    seconds: float = 0.0
    joules: float = 0.0
    earlier_peak: float | None = None
    _opened: Mark = field(default=0.0, init=False)
    _opened_at: float = field(default=0.0, init=False)
    _opened_joules: float | None = field(default=None, init=False)

    def open(self) -> Mark:
        """Begins a window; gives the mark at its start."""
        self.memory.open()
        self.clock.synchronize()
        if self.sampler:
            self.sampler.open(self.seconds)
        self._opened_joules = self.gpu.energy_joules() if self.gpu else None
        self._opened_at = self.clock.now()
        self._opened = self.clock.mark()
        return self._opened

    def close(self) -> None:
        """Ends the window once the device has done all it was given."""
        try:
            self.clock.synchronize()
            self.seconds += self.clock.now() - self._opened_at
            self._count_joules()
            self.memory.close()
        finally:
            if self.sampler:
                self.sampler.close()

    def _count_joules(self) -> None:
        """Adds the window's joules; a counter that fails once is not read again."""
        spent = self._joules_spent()
        if spent is not None:
            self.joules += spent
        elif self.gpu:
            self.gpu, self.no_energy = None, "the energy counter stopped answering"

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
            reason = self.no_energy or "the energy counter stopped answering"
            raise RunError("crashed" if self.gpu else "unsupported", reason)
        return self.joules + spent

    def peak_bytes(self) -> tuple[float | None, str]:
        """Peak memory of all windows, those of an interrupted process included, or why unknown."""
        own, reason = self.memory.peak_bytes()
        known = [peak for peak in (own, self.earlier_peak) if peak is not None]
        return (max(known), "") if known else (None, reason)

    @property
    def energy_method(self) -> str | None:
        """Where the joules come from: the card's counter, or power integrated over time."""
        if self.gpu:
            return "counter"
        return "power" if self.sampler else None

    def energy_j(self) -> tuple[float | None, str]:
        """Joules of all windows, or None and the reason."""
        if self.gpu:
            return resolved_energy(self.joules, self.seconds)
        if self.sampler is None:
            return None, self.no_energy
        unresolved = resolved_energy(0.0, self.seconds)
        return unresolved if unresolved[0] is None else self.sampler.energy_j(self.seconds)


def make_meters(
    device: torch.device,
    model: nn.Module,
    optimizer: optim.Optimizer | None = None,
    *,
    is_parallel: bool = False,
) -> Meters:
    """Clock, memory and energy meters that fit the device; energy of one GPU alone."""
    clock, memory = make_clock(device), make_memory_meter(device, model, optimizer)
    if is_parallel:
        return Meters(clock, memory, no_energy="plan dp: NVML is read for one GPU only")
    gpu, no_nvml = open_gpu(device)
    if gpu is None:
        return Meters(clock, memory, no_energy=no_nvml)
    return Meters(clock, memory, *counting(gpu), Sampler(gpu, clock.now))
