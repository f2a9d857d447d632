"""Telemetry: reads a GPU's sensors in the background while the windows of training are open.

Every reading is kept with the training seconds at which it was taken; whatever a record says of
clocks, power and throttling is derived from them afterwards.
"""

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch

from bench.machine.nvml import Gpu, Reading, throttle_reasons

INTERVAL_S = 0.1
JOIN_S = 1.0  # a driver that hangs must not hang the run
MAX_GAP_S = 1.0  # power between readings further apart than this would be a guess


@dataclass
class Sampler:
    """Takes a reading every `INTERVAL_S` of an open window, in a thread that ends with it.

    Attributes:
        gpu: whose sensors are read.
        now: host seconds, monotonic.
        wait: gives True once the event is set, False when the seconds are over.
        seconds: training seconds at which each reading was taken.
        readings: what the sensors said, raw.
    """

    gpu: Gpu
    now: Callable[[], float] = time.perf_counter
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait
    seconds: list[float] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    _offset_s: float = field(default=0.0, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def open(self, train_seconds: float) -> None:
        """Begins to read; so many seconds of training lie before this window."""
        self.close()
        self._offset_s = train_seconds - self.now()
        self._stop = threading.Event()  # a thread left hanging keeps its own, which is set
        self._thread = threading.Thread(
            target=self._read_until, args=(self._stop,), name="gpu-sampler", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, at once unless the driver is just being asked."""
        self._stop.set()
        if self._thread:
            self._thread.join(JOIN_S)
        self._thread = None

    def _read_until(self, stop: threading.Event) -> None:
        # the first reading comes late: at the edge of a window the GPU still idles
        while not self.wait(stop, INTERVAL_S):
            self.take()

    def take(self) -> None:
        """Keeps one reading; what goes wrong leaves it unknown and ends nothing."""
        seconds = self._offset_s + self.now()
        try:
            reading = self.gpu.read()
        except Exception:  # whatever a driver or its wrapper comes up with
            reading = Reading()
        self.seconds.append(seconds)
        self.readings.append(reading)

    def throttled_by(self) -> tuple[str, ...]:
        """All reasons that slowed the GPU down at any reading, in words."""
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
        return trapezoid(points), ""

    def conditions(self) -> dict[str, Any]:
        """A summary for the record: mean power, [median, lowest] clocks, highest temperature."""
        power, sm_clock, memory_clock, temperature, _ = self._known()
        return {
            "gpu_power_w": round(statistics.mean(power), 1) if power else None,
            "gpu_sm_clock_mhz": _median_and_lowest(sm_clock),
            "gpu_memory_clock_mhz": _median_and_lowest(memory_clock),
            "gpu_temperature_c": max(temperature, default=None),
            "throttle_reasons": list(self.throttled_by()) if self._known()[4] else None,
        }

    def samples(self) -> dict[str, Any]:
        """Every reading for the samples file, NaN where unknown; nothing where none was taken."""
        if not self.readings:
            return {}
        columns = dict(zip(Reading._fields, zip(*self.readings, strict=True), strict=True))
        named = {f"gpu_{name}": column for name, column in columns.items()}
        return {
            name: _array(column) for name, column in {"gpu_time_s": self.seconds, **named}.items()
        }

    def _known(self) -> list[list[float]]:
        """The known values of each sensor, in the order of `Reading`."""
        columns = zip(*self.readings, strict=True) if self.readings else [()] * len(Reading._fields)
        return [[value for value in column if value is not None] for column in columns]


def trapezoid(points: Sequence[tuple[float, float]]) -> float:
    """The integral under straight lines between points of (seconds, value)."""
    return sum(
        (end - start) * (first + second) / 2 for (start, first), (end, second) in pairwise(points)
    )


def _median_and_lowest(values: Sequence[float]) -> list[float] | None:
    return [statistics.median(values), min(values)] if values else None


def _array(values: Sequence[float | None]) -> Any:  # noqa: ANN401 - a NumPy array
    known = [float("nan") if value is None else value for value in values]
    return torch.tensor(known, dtype=torch.float64).numpy()
