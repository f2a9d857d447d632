"""Power, clocks, heat, throttling and energy of a GPU by NVML, addressed by UUID."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

THROTTLE_REASONS = {  # bits of NVML's clock event reasons; idling and set clocks are no throttling
    4: "software power cap",
    8: "hardware slowdown",
    32: "software thermal",
    64: "hardware thermal",
    128: "power brake",
}


class Reading(NamedTuple):
    """The sensors of a GPU at one moment; None for what they do not tell."""

    power_w: float | None = None
    sm_clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    temperature_c: float | None = None
    clock_event_reasons: int | None = None  # bits: why the clocks are what they are


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as NVML sees it. A reading is None where the card does not answer."""

    nvml: Any
    handle: Any
    uuid: str = ""

    def energy_joules(self) -> float | None:
        """Energy since the driver was loaded (Volta and later)."""
        return _thousandth(self._ask(self.nvml.nvmlDeviceGetTotalEnergyConsumption))

    def power_watts(self) -> float | None:
        """Power draw as NVML averages it, over one second on most cards."""
        return _thousandth(self._ask(self.nvml.nvmlDeviceGetPowerUsage))

    def instant_power_watts(self) -> float | None:
        """Power draw at this moment."""
        field_id = self.nvml.NVML_FI_DEV_POWER_INSTANT
        try:
            answer = self.nvml.nvmlDeviceGetFieldValues(self.handle, [field_id])[0]
        except self.nvml.NVMLError:
            return None
        if answer.nvmlReturn != self.nvml.NVML_SUCCESS:
            return None
        return _thousandth(answer.value.uiVal or None)  # no card draws nothing: no sensor

    def power_cap_watts(self) -> float | None:
        """The limit that the driver enforces."""
        return _thousandth(self._ask(self.nvml.nvmlDeviceGetEnforcedPowerLimit))

    def read(self) -> Reading:
        """All sensors, one after the other; instant power, or averaged where that is all."""
        instant_w = self.instant_power_watts()
        power_w = self.power_watts() if instant_w is None else instant_w
        sm_clock = self._ask(self.nvml.nvmlDeviceGetClockInfo, self.nvml.NVML_CLOCK_SM)
        memory_clock = self._ask(self.nvml.nvmlDeviceGetClockInfo, self.nvml.NVML_CLOCK_MEM)
        celsius = self._ask(self.nvml.nvmlDeviceGetTemperature, self.nvml.NVML_TEMPERATURE_GPU)
        reasons = self._ask(self.nvml.nvmlDeviceGetCurrentClocksEventReasons)
        if reasons is None:  # older drivers call them throttling
            reasons = self._ask(self.nvml.nvmlDeviceGetCurrentClocksThrottleReasons)
        bits = None if reasons is None else int(reasons)
        return Reading(power_w, sm_clock, memory_clock, celsius, bits)

    def _ask(self, question: Callable[..., Any], *arguments: int) -> float | None:
        try:
            return float(question(self.handle, *arguments))
        except self.nvml.NVMLError:
            return None


def _thousandth(value: float | None) -> float | None:
    """NVML counts milliwatts and millijoules."""
    return None if value is None else value / 1000.0


def throttle_reasons(clock_event_reasons: int) -> tuple[str, ...]:
    """The reasons among NVML's bits that slow a GPU down, in words."""
    return tuple(word for bit, word in THROTTLE_REASONS.items() if clock_event_reasons & bit)


def open_gpu(device: torch.device) -> tuple[Gpu | None, str]:
    """The GPU behind a device as NVML sees it, or None and the reason why it does not."""
    if device.type != "cuda":
        return None, "a CPU run has no NVML"
    import pynvml

    try:
        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        return Gpu(pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid), uuid), ""
    except pynvml.NVMLError as error:
        return None, f"no NVML for {device}: {error}"


def open_energy_counter(device: torch.device) -> tuple[Gpu | None, str]:
    """The GPU behind a device, if its energy counter answers, else None and the reason."""
    gpu, reason = open_gpu(device)
    return (None, reason) if gpu is None else counting(gpu)


def counting(gpu: Gpu) -> tuple[Gpu | None, str]:
    """The GPU, if its energy counter answers, else None and the reason."""
    try:
        gpu.nvml.nvmlDeviceGetTotalEnergyConsumption(gpu.handle)
    except gpu.nvml.NVMLError as error:
        return None, f"this GPU counts no energy: {error}"
    return gpu, ""
