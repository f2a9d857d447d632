"""The meters of a training: seconds, joules and peak bytes over its windows."""

from dataclasses import dataclass, field

import torch
from torch import nn

from bench.clock import Clock, Mark, make_clock
from bench.memory import MemoryMeter, make_memory_meter
from bench.nvml import Gpu, open_energy_counter, resolved_energy


@dataclass
class Meters:
    """Opened before training, closed around everything that is not training.

    Attributes:
        seconds: length of all closed windows on the host's clock, synchronised at both edges.
        joules: energy of all closed windows; stays 0 without a GPU.
    """

    clock: Clock
    memory: MemoryMeter
    gpu: Gpu | None = None
    no_energy: str = ""
    seconds: float = 0.0
    joules: float = 0.0
    _opened: Mark = field(default=0.0, init=False)
    _opened_at: float = field(default=0.0, init=False)
    _opened_joules: float = field(default=0.0, init=False)

    def open(self) -> Mark:
        """Begins a window; gives the mark at its start."""
        self.memory.open()
        self.clock.synchronize()
        self._opened_joules = self.gpu.energy_joules() if self.gpu else 0.0
        self._opened_at = self.clock.now()
        self._opened = self.clock.mark()
        return self._opened

    def close(self) -> None:
        """Ends the window once the device has done all it was given."""
        self.clock.synchronize()
        self.seconds += self.clock.now() - self._opened_at
        self.joules += self.gpu.energy_joules() - self._opened_joules if self.gpu else 0.0
        self.memory.close()

    def seconds_at(self, mark: Mark) -> float:
        """Training seconds at a mark of the open window."""
        return self.seconds + self.clock.seconds_between(self._opened, mark)

    def joules_now(self) -> float:
        """Joules spent up to now, the open window included."""
        return self.joules + (self.gpu.energy_joules() - self._opened_joules if self.gpu else 0.0)

    def energy_j(self) -> tuple[float | None, str]:
        """Joules of all windows, or None and the reason."""
        if self.gpu is None:
            return None, self.no_energy
        return resolved_energy(self.joules, self.seconds)


def make_meters(device: torch.device, model: nn.Module, *, is_parallel: bool = False) -> Meters:
    """Clock, memory and energy meters that fit the device; energy of one GPU alone."""
    gpu, no_energy = open_energy_counter(device)
    if is_parallel:
        gpu, no_energy = None, "plan dp: NVML is read for one GPU only"
    return Meters(make_clock(device), make_memory_meter(device, model), gpu, no_energy)
