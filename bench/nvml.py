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
    """The GPU behind a device as NVML sees it, or None and the reason why it does not."""
    if device.type != "cuda":
        return None, "a CPU run: energy is read through NVML, from NVIDIA GPUs only"
    try:
        return Gpu.open(device), ""
    except RunError as error:
        return None, error.reason


def open_energy_counter(device: torch.device) -> tuple[Gpu | None, str]:
    """The GPU, if its energy counter answers, else None and the reason."""
    gpu, reason = open_gpu(device)
    if gpu is None:
        return None, reason
    try:
        gpu.energy_joules()
    except gpu.nvml.NVMLError as error:
        return None, f"this GPU counts no energy: {error}"
    return gpu, ""


def resolved_energy(joules: float, seconds: float) -> tuple[float | None, str]:
    """The joules, or None where the windows are too short for the counter to resolve them."""
    if seconds < MIN_WINDOW_S:
        return None, f"unresolved: {seconds:.2f} s of training are less than {MIN_WINDOW_S:g} s"
    return joules, ""
