"""What NVML tells of a GPU, and the background sampler: what it keeps, and that it ends."""

import math
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from msgspec import json

from bench.machine import nvml as bench_nvml
from bench.machine.environment import describe_environment
from bench.machine.meters import Meters, open_energy_counter
from bench.machine.nvml import Gpu, Reading, Sampler, open_gpu
from tests.bench.machine.nvml_by_hand import (
    ASKED,
    GPU,
    UUID,
    Nvml,
    NVMLError,
    by_hand,
    fake_gpu,
    replay,
    work,
)
from tests.bench.train.training_by_hand import FakeClock, FakeMemory

ANSWERS: dict[str, Callable[[Gpu], float | None]] = {
    "average_mw": lambda gpu: gpu.power_watts(),
    "instant_mw": lambda gpu: gpu.instant_power_watts(),
    "energy_mj": lambda gpu: gpu.energy_joules(),
    "cap_mw": lambda gpu: gpu.power_cap_watts(),
    "sm_mhz": lambda gpu: gpu.read().sm_clock_mhz,
    "memory_mhz": lambda gpu: gpu.read().memory_clock_mhz,
    "celsius": lambda gpu: gpu.read().temperature_c,
    "event_reasons": lambda gpu: gpu.read().clock_event_reasons,
}


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    fake = Nvml()
    fake.install(monkeypatch)
    return fake


def test_readings_are_in_base_units_and_by_uuid(nvml: Nvml) -> None:
    gpu, _ = open_gpu(GPU)
    assert gpu is not None
    assert (nvml.asked, gpu.uuid) == ([UUID], UUID)
    assert (gpu.energy_joules(), gpu.power_watts(), gpu.power_cap_watts()) == (5.0, 123.4, 700.0)
    assert gpu.read() == Reading(300.0, 1980.0, 2619.0, 54.0, 0)


@pytest.mark.parametrize("sensor", ANSWERS)
def test_a_sensor_that_does_not_answer_is_unknown_and_no_other(sensor: str) -> None:
    gpu = fake_gpu(Nvml(**{sensor: replay(None)}))  # type: ignore[arg-type]
    assert [name for name, ask in ANSWERS.items() if ask(gpu) is None] == [sensor]


@pytest.mark.parametrize("instant_mw", [None, 0])
def test_power_is_averaged_where_no_instant_is_told(instant_mw: int | None) -> None:
    assert fake_gpu(Nvml(instant_mw=replay(instant_mw))).read().power_w == 123.4


def test_a_driver_without_fields_tells_no_instant_power(nvml: Nvml) -> None:
    def refuse(*_: object) -> None:
        raise NVMLError("Function Not Found")

    vars(nvml)["nvmlDeviceGetFieldValues"] = refuse
    assert fake_gpu(nvml).instant_power_watts() is None


def test_an_older_driver_tells_the_reasons_by_their_older_name() -> None:
    nvml = Nvml(event_reasons=replay(None), throttle_reasons=replay(8))
    assert fake_gpu(nvml).read().clock_event_reasons == 8


def test_reasons_in_words_leave_out_what_is_no_throttling() -> None:
    idle, application_clocks, sync_boost, display = 1, 2, 16, 256
    no_throttling = idle | application_clocks | sync_boost | display
    assert bench_nvml.throttle_reasons(no_throttling) == ()
    assert bench_nvml.throttle_reasons(4 | no_throttling) == ("software power cap",)
    assert bench_nvml.throttle_reasons(511) == tuple(bench_nvml.THROTTLE_REASONS.values())


def test_the_fake_has_the_names_and_numbers_of_the_real_module() -> None:
    import pynvml

    for name in [*ASKED, *(name for name in dir(Nvml) if name.startswith("nvml"))]:
        assert callable(getattr(pynvml, name))
    for name in (name for name in dir(Nvml) if name.startswith("NVML_")):
        assert getattr(pynvml, name) == getattr(Nvml, name)
    assert {
        pynvml.nvmlClocksEventReasonSwPowerCap: "software power cap",
        pynvml.nvmlClocksEventReasonHwSlowdown: "hardware slowdown",
        pynvml.nvmlClocksEventReasonSwThermalSlowdown: "software thermal",
        pynvml.nvmlClocksEventReasonHwThermalSlowdown: "hardware thermal",
        pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown: "power brake",
    } == bench_nvml.THROTTLE_REASONS


def test_the_real_field_value_has_the_parts_that_are_read() -> None:
    import pynvml

    field = pynvml.c_nvmlFieldValue_t()
    field.value.uiVal = 300_000
    nvml = SimpleNamespace(
        **{name: getattr(pynvml, name) for name in ("NVML_SUCCESS", "NVML_FI_DEV_POWER_INSTANT")},
        NVMLError=NVMLError,
        nvmlDeviceGetFieldValues=lambda _handle, _ids: [field],
    )
    assert bench_nvml.Gpu(nvml, None).instant_power_watts() == 300.0


def test_a_gpu_without_an_energy_counter_is_a_reason(nvml: Nvml) -> None:
    assert open_energy_counter(GPU)[0] is not None
    nvml.energy_mj = replay(None)
    assert open_energy_counter(GPU) == (None, "this GPU counts no energy: Not Supported")


def test_an_unknown_gpu_is_a_reason(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_uuid: str) -> None:
        raise NVMLError("Driver Not Loaded")

    monkeypatch.setattr(nvml, "nvmlDeviceGetHandleByUUID", refuse)
    nvml.install(monkeypatch)
    assert open_gpu(GPU) == (None, "no NVML for cuda:0: Driver Not Loaded")


def test_the_environment_has_the_power_cap_or_none(nvml: Nvml) -> None:
    nvml.cap_mw = replay(700_000, None)
    caps = [describe_environment(GPU, "hash")["power_cap_w"] for _ in range(2)]
    assert caps == [700.0, None]


@pytest.fixture
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if "sampler" in thread.name] == []


def sampled(nvml: Nvml, readings: int = 3) -> Sampler:
    """A sampler that has taken so many readings, one a tenth of a second."""
    clock = FakeClock()
    sampler = by_hand(nvml, clock)
    sampler.open(0.0)
    work(clock, sampler, readings / 10)
    sampler.close()
    return sampler


@pytest.mark.usefixtures("_no_thread_is_left")
def test_closing_ends_the_wait_at_once_and_may_be_repeated() -> None:
    sampler = Sampler(fake_gpu(Nvml()), wait=lambda stop, _seconds: stop.wait(60.0))
    for _ in range(3):
        sampler.open(0.0)
    sampler.close()
    sampler.close()
    assert sampler.readings == []


@pytest.mark.usefixtures("_no_thread_is_left")
def test_the_real_wait_takes_readings() -> None:
    is_asked = threading.Event()

    def ask() -> Iterator[int]:
        while True:
            is_asked.set()
            yield 50

    sampler = Sampler(fake_gpu(Nvml(celsius=ask())))
    sampler.open(7.0)
    assert is_asked.wait(10.0)
    sampler.close()
    assert sampler.readings[0].temperature_c == 50.0
    assert sampler.seconds[0] > 7.0


def test_only_open_windows_are_read_and_their_seconds_are_those_of_training() -> None:
    clock = FakeClock()
    sampler = by_hand(Nvml(), clock)
    meters = Meters(clock, FakeMemory(), sampler=sampler)
    for _ in range(2):
        meters.open()
        work(clock, sampler, 0.2)
        meters.close()
        clock.pass_time(9.0)
    assert sampler.seconds == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.usefixtures("_no_thread_is_left")
def test_the_sampler_ends_when_a_window_ends_badly() -> None:
    class BrokenClock(FakeClock):
        def synchronize(self) -> None:
            if self.num_synchronized:
                raise RuntimeError("CUDA error")
            super().synchronize()

    sampler = Sampler(fake_gpu(Nvml()))
    meters = Meters(BrokenClock(), FakeMemory(), sampler=sampler)
    meters.open()
    assert threading.active_count() > 1
    with pytest.raises(RuntimeError, match="CUDA error"):
        meters.close()


def test_whatever_else_a_driver_raises_is_unknown_too() -> None:
    def ask() -> Iterator[int]:
        yield 50
        raise OSError("the library is gone")

    first, *others = sampled(Nvml(celsius=ask())).readings
    assert first.temperature_c == 50.0
    assert others == [Reading(), Reading()]


def test_clocks_power_and_heat_are_summed_up() -> None:
    nvml = Nvml(
        instant_mw=replay(300_000, 500_000, 640_040),
        sm_mhz=replay(1980, 1755, 1830),
        celsius=replay(50, 61, 60),
    )
    assert sampled(nvml).conditions() == {
        "gpu_power_w": 480.0,
        "gpu_sm_clock_mhz": [1830, 1755],
        "gpu_memory_clock_mhz": [2619, 2619],
        "gpu_temperature_c": 61,
        "throttle_reasons": [],
    }


def test_reasons_of_all_readings_are_gathered_and_fit_a_record() -> None:
    sampler = sampled(Nvml(event_reasons=replay(1, 4, None, 8 | 64, 32 | 128)), readings=5)
    assert sampler.throttled_by() == tuple(bench_nvml.THROTTLE_REASONS.values())
    conditions = sampler.conditions() | {"energy_method": "counter"}
    assert len(json.encode(conditions)) <= 270  # every reason at once, which no card gives


def test_what_no_reading_tells_is_null() -> None:
    assert set(sampled(Nvml(), readings=0).conditions().values()) == {None}
    blind = sampled(Nvml(event_reasons=replay(None), sm_mhz=replay(None)))
    assert blind.conditions()["throttle_reasons"] is None
    assert blind.conditions()["gpu_sm_clock_mhz"] is None
    assert blind.throttled_by() == ()


def test_samples_are_named_with_their_units() -> None:
    samples = sampled(Nvml(celsius=replay(50, None, 52), event_reasons=replay(1, 4, 4))).samples()
    assert {name: array.tolist() for name, array in samples.items()} == {
        "gpu_time_s": pytest.approx([0.1, 0.2, 0.3]),
        "gpu_power_w": [300.0] * 3,
        "gpu_sm_clock_mhz": [1980] * 3,
        "gpu_memory_clock_mhz": [2619] * 3,
        "gpu_temperature_c": pytest.approx([50, math.nan, 52], nan_ok=True),
        "gpu_clock_event_reasons": [1, 4, 4],
    }
    assert sampled(Nvml(), readings=0).samples() == {}


def test_power_is_integrated_along_straight_lines() -> None:
    # 0.1 s at each of 100, 200, 300 W; the first stands for the time before it
    sampler = sampled(Nvml(instant_mw=replay(100_000, 200_000, 300_000)))
    assert sampler.energy_j(0.3)[0] == pytest.approx(10.0 + 15.0 + 25.0)


def test_a_power_sensor_that_falls_silent_leaves_energy_unresolved() -> None:
    nvml = Nvml(instant_mw=replay(*[300_000] * 10, *[None] * 15, 300_000), average_mw=replay(None))
    sampler = sampled(nvml, readings=30)
    assert sampler.energy_j(3.0) == (None, "unresolved: no power was read for 1.6 s")
    assert sampler.energy_j(1.0)[0] is not None
    blind = sampled(Nvml(instant_mw=replay(None), average_mw=replay(None)))
    assert blind.energy_j(0.3) == (None, "this GPU tells no power")
