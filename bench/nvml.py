"""What NVML tells of a GPU: power cap and energy, addressed by UUID."""

from dataclasses import dataclass
from typing import Any, Self

import torch

from bench.errors import RunError

MIN_WINDOW_S = 2.0  # the counter moves every 20 to 100 ms: shorter windows do not resolve it


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as NVML sees it. Readings raise NVMLError where the card has no such sensor."""

    nvml: Any
    handle: Any

    @classmethod
    def open(cls, device: torch.device) -> Self:
        """Opens NVML for the GPU behind a CUDA device.

        Raises:
            RunError: there is no NVML here, or it does not know the device.
        """
        import pynvml

        try:
            pynvml.nvmlInit()
            uuid = torch.cuda.get_device_properties(device).uuid
            return cls(pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}"))
        except pynvml.NVMLError as error:
            raise RunError("unsupported", f"no NVML for {device}: {error}") from None

    def energy_joules(self) -> float:
        """Energy since the driver was loaded (Volta and later)."""
        return float(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)) / 1000.0

    def power_watts(self) -> float:
        """Present power draw, a one-second average on most cards."""
        return float(self.nvml.nvmlDeviceGetPowerUsage(self.handle)) / 1000.0

    def power_cap_watts(self) -> float:
        """The limit that the driver enforces."""
        return float(self.nvml.nvmlDeviceGetEnforcedPowerLimit(self.handle)) / 1000.0


def open_gpu(device: torch.device) -> tuple[Gpu | None, str]:
    """The GPU's counters, or None and the reason why there are none."""
    if device.type != "cuda":
        return None, "a CPU run: energy is read through NVML, from NVIDIA GPUs only"
    try:
        return Gpu.open(device), ""
    except RunError as error:
        return None, error.reason


def energy_of_window(start_j: float, end_j: float, seconds: float) -> tuple[float | None, str]:
    """Joules between two readings, or None where the window is too short to resolve them."""
    if seconds < MIN_WINDOW_S:
        return None, f"unresolved: the window of {seconds:.2f} s is shorter than {MIN_WINDOW_S:g} s"
    return end_j - start_j, ""
