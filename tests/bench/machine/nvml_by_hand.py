"""A fake NVML that replays recorded counters, and clocks that tests move by hand."""
# ruff: noqa: N802 - the names are NVML's

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat
from types import ModuleType, SimpleNamespace

import pytest
import torch

from bench.machine.nvml import INTERVAL_S, Gpu, Sampler
from tests.bench.train.training_by_hand import FakeClock

GPU = torch.device("cuda", 0)
UUID = "GPU-abc-def"
Recorded = Iterator[int | None]


class NVMLError(Exception):
    """What the real module raises."""


def replay(*values: int | None) -> Recorded:
    """The values one after the other, then the last one for ever; None is a reading that raises."""
    return chain(values, repeat(values[-1]))


ASKED = {  # question -> the field of `Nvml` that answers it
    "nvmlDeviceGetTotalEnergyConsumption": "energy_mj",
    "nvmlDeviceGetPowerUsage": "average_mw",
    "nvmlDeviceGetEnforcedPowerLimit": "cap_mw",
    "nvmlDeviceGetTemperature": "celsius",
    "nvmlDeviceGetCurrentClocksEventReasons": "event_reasons",
    "nvmlDeviceGetCurrentClocksThrottleReasons": "throttle_reasons",  # as older drivers call it
}


@dataclass
class Nvml:
    """Answers for one GPU in NVML's own units: an H100 at work, where a test says nothing else."""

    energy_mj: Recorded = field(default_factory=lambda: replay(5_000))
    average_mw: Recorded = field(default_factory=lambda: replay(123_400))
    instant_mw: Recorded = field(default_factory=lambda: replay(300_000))
    cap_mw: Recorded = field(default_factory=lambda: replay(700_000))
    sm_mhz: Recorded = field(default_factory=lambda: replay(1980))
    memory_mhz: Recorded = field(default_factory=lambda: replay(2619))
    celsius: Recorded = field(default_factory=lambda: replay(54))
    event_reasons: Recorded = field(default_factory=lambda: replay(0))
    throttle_reasons: Recorded = field(default_factory=lambda: replay(None))
    asked: list[str] = field(default_factory=list)

    NVMLError = NVMLError
    NVML_SUCCESS = 0
    NVML_CLOCK_SM = 1
    NVML_CLOCK_MEM = 2
    NVML_TEMPERATURE_GPU = 0
    NVML_FI_DEV_POWER_INSTANT = 186

    def __post_init__(self) -> None:
        for question, sensor in ASKED.items():
            vars(self)[question] = partial(self._answer, sensor)

    def _answer(self, sensor: str, handle: str, *_which: int) -> int:
        assert handle == f"handle of {UUID}"
        value: int | None = next(getattr(self, sensor))
        if value is None:
            raise NVMLError("Not Supported")
        return value

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Takes the place of pynvml and gives torch a GPU with a UUID."""
        module = ModuleType("pynvml")
        names = [name for name in dir(self) if name.lower().startswith("nvml")]
        vars(module).update({name: getattr(self, name) for name in names})
        monkeypatch.setitem(sys.modules, "pynvml", module)
        properties = SimpleNamespace(uuid="abc-def")
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: properties)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Fake H1")
        monkeypatch.setattr(torch.cuda, "synchronize", lambda _device: None)

    def nvmlInit(self) -> None:
        """Always there."""

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        """A handle that tells what was asked for."""
        self.asked.append(uuid)
        return f"handle of {uuid}"

    def nvmlDeviceGetFieldValues(self, _handle: str, ids: list[int]) -> list[SimpleNamespace]:
        """Milliwatts at this moment; a field that is not supported says so in its return code."""
        assert ids == [self.NVML_FI_DEV_POWER_INSTANT]
        milliwatts = next(self.instant_mw)
        value = SimpleNamespace(uiVal=milliwatts or 0)
        return [SimpleNamespace(nvmlReturn=3 if milliwatts is None else 0, value=value)]

    def nvmlDeviceGetClockInfo(self, handle: str, kind: int) -> int:
        """Megahertz."""
        return self._answer("sm_mhz" if kind == self.NVML_CLOCK_SM else "memory_mhz", handle)


def fake_gpu(nvml: Nvml) -> Gpu:
    """The GPU that this NVML answers for."""
    return Gpu(nvml, f"handle of {UUID}", UUID)


def stop_at_once(_stop: threading.Event, _seconds: float) -> bool:
    """A wait after which the sampler's thread ends: the test takes the readings itself."""
    return True


def by_hand(nvml: Nvml, clock: FakeClock) -> Sampler:
    """A sampler whose readings a test takes."""
    return Sampler(fake_gpu(nvml), clock.now, stop_at_once)


def work(clock: FakeClock, sampler: Sampler, seconds: float) -> None:
    """Lets the device work, and takes a reading where the thread would have."""
    for _ in range(round(seconds / INTERVAL_S)):
        clock.work(INTERVAL_S)
        sampler.take()
