"""NVML's counters, replayed."""

from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import pytest
import torch

from bench.environment import describe_environment
from bench.meters import Meters
from bench.nvml import MIN_WINDOW_S, Gpu, open_energy_counter, open_gpu, resolved_energy
from tests.training_by_hand import FakeClock, FakeMemory

GPU = torch.device("cuda", 0)


class NVMLError(Exception):
    """What the real module raises."""


@dataclass
class Nvml:
    """Answers for one GPU; counters are in thousandths, as NVML has them."""

    energy_mj: list[int] = field(default_factory=list)
    has_power: bool = True
    asked: list[str] = field(default_factory=list)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Takes the place of pynvml and gives torch a GPU with a UUID."""
        module = ModuleType("pynvml")
        names = [name for name in dir(self) if name.startswith("nvml")]
        vars(module).update({name: getattr(self, name) for name in names}, NVMLError=NVMLError)
        monkeypatch.setitem(__import__("sys").modules, "pynvml", module)
        properties = SimpleNamespace(uuid="abc-def")
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: properties)

    def nvmlInit(self) -> None:  # noqa: N802
        """Always there."""

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        """A handle that tells what was asked for."""
        self.asked.append(uuid)
        return f"handle of {uuid}"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:  # noqa: N802
        """The next reading."""
        assert handle == "handle of GPU-abc-def"
        return self.energy_mj.pop(0)

    def nvmlDeviceGetPowerUsage(self, _handle: str) -> int:  # noqa: N802
        """Milliwatts."""
        return 123_400

    def nvmlDeviceGetEnforcedPowerLimit(self, _handle: str) -> int:  # noqa: N802
        """Milliwatts, where the card tells."""
        if not self.has_power:
            raise NVMLError("Not Supported")
        return 700_000


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    fake = Nvml()
    fake.install(monkeypatch)
    return fake


def open_fake() -> Gpu:
    gpu, _ = open_gpu(GPU)
    assert gpu is not None
    return gpu


def test_readings_are_in_base_units_and_by_uuid(nvml: Nvml) -> None:
    nvml.energy_mj = [5_000]
    gpu = open_fake()
    assert nvml.asked == ["GPU-abc-def"]
    assert (gpu.energy_joules(), gpu.power_watts(), gpu.power_cap_watts()) == (5.0, 123.4, 700.0)


@pytest.mark.usefixtures("nvml")
def test_windows_add_up_and_what_lies_between_is_left_out(nvml: Nvml) -> None:
    nvml.energy_mj = [1_000_000, 1_400_000, 1_900_000, 2_000_000]
    clock = FakeClock()
    meters = Meters(clock, FakeMemory(), open_fake())
    for _ in range(2):
        meters.open()
        clock.work(2.0)
        meters.close()
        clock.pass_time(9.0)
    assert meters.seconds == 4.0
    assert meters.energy_j() == (500.0, "")


def test_joules_of_an_open_window_are_known(nvml: Nvml) -> None:
    nvml.energy_mj = [10_000, 25_000, 40_000, 40_000, 41_000]
    meters = Meters(FakeClock(), FakeMemory(), open_fake())
    meters.open()
    assert meters.joules_now() == 15.0
    meters.close()
    meters.open()
    assert meters.joules_now() == 31.0


def test_a_short_window_is_unresolved() -> None:
    energy, reason = resolved_energy(100.0, MIN_WINDOW_S * 0.99)
    assert energy is None
    assert reason == "unresolved: 1.98 s of training are less than 2 s"
    assert resolved_energy(60.0, MIN_WINDOW_S) == (60.0, "")


def test_a_gpu_without_an_energy_counter_is_a_reason(
    nvml: Nvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_handle: object) -> None:
        raise NVMLError("Not Supported")

    nvml.energy_mj = [1000]
    nvml.install(monkeypatch)
    assert open_energy_counter(GPU)[0] is not None
    monkeypatch.setattr(nvml, "nvmlDeviceGetTotalEnergyConsumption", refuse)
    nvml.install(monkeypatch)
    assert open_energy_counter(GPU) == (None, "this GPU counts no energy: Not Supported")


def test_an_unknown_gpu_is_a_reason(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_uuid: str) -> None:
        raise NVMLError("Driver Not Loaded")

    monkeypatch.setattr(nvml, "nvmlDeviceGetHandleByUUID", refuse)
    nvml.install(monkeypatch)
    assert open_gpu(GPU) == (None, "no NVML for cuda:0: Driver Not Loaded")


def test_a_cpu_run_has_no_energy_and_says_why() -> None:
    gpu, reason = open_gpu(torch.device("cpu"))
    assert gpu is None
    assert "CPU run" in reason
    assert Meters(FakeClock(), FakeMemory(), gpu, reason).energy_j() == (None, reason)


def test_a_card_without_a_power_cap_is_none(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Fake H1")
    environment = describe_environment(GPU, "hash")
    assert (environment["power_cap_w"], environment["device"]) == (700.0, "Fake H1")
    nvml.has_power = False
    assert describe_environment(GPU, "hash")["power_cap_w"] is None
