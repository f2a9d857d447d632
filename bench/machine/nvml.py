"""Power, clocks, heat, throttling and energy of a GPU by NVML, addressed by UUID.

While training, a thread reads the sensors in the background. Every reading is kept with the
training seconds at which it was taken; what a record says of clocks, power and throttling is
derived from them afterwards.
"""

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from bench.machine.clock import make_clock

MIN_WINDOW_S = 2.0  # the counter moves every 20 to 100 ms: shorter windows do not resolve it
INTERVAL_S = 0.1
JOIN_S = 1.0  # a driver that hangs must not hang the run
SETTLE_S = 0.5  # rest before the readings of an idle GPU: some average over what was before
IDLE_READING_S, NUM_IDLE_READINGS = 0.05, 10
MAX_GAP_S = 1.0  # power between readings further apart than this would be a guess
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
    energy_method: ClassVar[str] = "counter"
    min_window_s: ClassVar[float] = MIN_WINDOW_S

    def keep_up(self) -> None:
        """Nothing to do: NVML's counter has 64 bits."""

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


def counting(gpu: Gpu) -> tuple[Gpu | None, str]:
    """The GPU, if its energy counter answers, else None and the reason."""
    try:
        gpu.nvml.nvmlDeviceGetTotalEnergyConsumption(gpu.handle)
    except gpu.nvml.NVMLError as error:
        return None, f"this GPU counts no energy: {error}"
    return gpu, ""


@dataclass
class Sampler:
    """A thread that reads the GPU every `INTERVAL_S` of an open window, and ends with it."""

    gpu: Gpu
    now: Callable[[], float] = time.perf_counter
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait  # True once it is set
    seconds: list[float] = field(default_factory=list)  # of training, at each reading
    readings: list[Reading] = field(default_factory=list)
    _offset_s: float = field(default=0.0, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def open(self, train_seconds: float) -> None:
        """Begin to read; so many seconds of training lie before this window."""
        self.close()
        self._offset_s = train_seconds - self.now()
        self._stop = threading.Event()  # a thread left hanging keeps its own, which is set
        self._thread = threading.Thread(
            target=self._read_until, args=(self._stop,), name="gpu-sampler", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the thread, at once unless the driver is just being asked."""
        self._stop.set()
        if self._thread:
            self._thread.join(JOIN_S)
        self._thread = None

    def _read_until(self, stop: threading.Event) -> None:
        # the first reading comes late: at the edge of a window the GPU still idles
        while not self.wait(stop, INTERVAL_S):
            self.take()

    def take(self) -> None:
        """Keep one reading; an error leaves it unknown and ends nothing."""
        seconds = self._offset_s + self.now()
        try:
            reading = self.gpu.read()
        except Exception:  # whatever a driver or its wrapper comes up with
            reading = Reading()
        self.seconds.append(seconds)
        self.readings.append(reading)

    def throttled_by(self) -> tuple[str, ...]:
        """The reasons that slowed the GPU down at any reading, in words."""
        bits = 0
        for reading in self.readings:
            bits |= reading.clock_event_reasons or 0
        return throttle_reasons(bits)

    def energy_j(self, train_seconds: float) -> tuple[float | None, str]:
        """Joules of so many seconds of training by integrating power, or None and the reason."""
        known = [
            (min(seconds, train_seconds), reading.power_w)
            for seconds, reading in zip(self.seconds, self.readings, strict=True)
            if reading.power_w is not None
        ]
        if not known:
            return None, "this GPU tells no power"
        # the nearest reading stands for the time before the first and after the last
        points = [(0.0, known[0][1]), *known, (train_seconds, known[-1][1])]
        gap = max(end - start for (start, _), (end, _) in pairwise(points))
        if gap > MAX_GAP_S:
            return None, f"unresolved: no power was read for {gap:.1f} s"
        moments, watts = torch.tensor(points, dtype=torch.float64).unbind(dim=1)
        return float(torch.trapezoid(watts, moments)), ""

    def conditions(self) -> dict[str, Any]:
        """A summary for the record: mean power, [median, lowest] clocks, highest temperature."""
        columns = zip(*self.readings, strict=True) if self.readings else [()] * len(Reading._fields)
        power, sm_clock, memory_clock, temperature, reasons = (
            [value for value in column if value is not None] for column in columns
        )
        return {
            "gpu_power_w": round(statistics.mean(power), 1) if power else None,
            "gpu_sm_clock_mhz": _median_and_lowest(sm_clock),
            "gpu_memory_clock_mhz": _median_and_lowest(memory_clock),
            "gpu_temperature_c": max(temperature, default=None),
            "throttle_reasons": list(self.throttled_by()) if reasons else None,
        }

    def samples(self) -> dict[str, Any]:
        """Every reading for the samples file, NaN where unknown; nothing where none was taken."""
        if not self.readings:
            return {}
        columns = zip(Reading._fields, zip(*self.readings, strict=True), strict=True)
        named = {f"gpu_{name}": np.array(column, dtype=np.float64) for name, column in columns}
        return {"gpu_time_s": np.array(self.seconds), **named}


def _median_and_lowest(values: Sequence[float]) -> list[float] | None:
    return [statistics.median(values), min(values)] if values else None


def measure_idle_power(device: torch.device) -> tuple[float | None, str]:
    """Watts of the GPU while it has nothing to do, or None and the reason; takes about a second.

    The median of some readings: somebody else's short burst leaves it alone.
    """
    gpu, no_nvml = open_gpu(device)
    if gpu is None:
        return None, no_nvml
    make_clock(device).synchronize()
    time.sleep(SETTLE_S)
    watts = []
    for _ in range(NUM_IDLE_READINGS):
        time.sleep(IDLE_READING_S)
        watts.append(gpu.read().power_w)
    known = [value for value in watts if value is not None]
    return (statistics.median(known), "") if known else (None, "this GPU tells no power")
