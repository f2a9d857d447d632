"""What NVML tells of a GPU, and what becomes of what it does not tell."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from bench.machine import nvml as bench_nvml
from bench.machine.environment import describe_environment
from bench.machine.nvml import Gpu, Reading, open_energy_counter, open_gpu
from tests.bench.machine.nvml_by_hand import GPU, UUID, Nvml, NVMLError, fake_gpu, replay

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


def test_power_is_averaged_where_no_instant_is_told() -> None:
    assert fake_gpu(Nvml(instant_mw=replay(None))).read().power_w == 123.4
    assert fake_gpu(Nvml(instant_mw=replay(0))).read().power_w == 123.4  # no card draws nothing


def test_a_driver_without_fields_tells_no_instant_power() -> None:
    nvml = Nvml()

    def refuse(_handle: object, _ids: object) -> None:
        raise NVMLError("Function Not Found")

    vars(nvml)["nvmlDeviceGetFieldValues"] = refuse
    assert fake_gpu(nvml).instant_power_watts() is None


def test_an_older_driver_tells_the_reasons_by_their_older_name() -> None:
    nvml = Nvml(event_reasons=replay(None), throttle_reasons=replay(8))
    assert fake_gpu(nvml).read().clock_event_reasons == 8


def test_reasons_in_words_leave_out_what_is_no_throttling() -> None:
    idle, application_clocks, sync_boost, display = 1, 2, 16, 256
    assert bench_nvml.throttle_reasons(idle | application_clocks | sync_boost | display) == ()
    assert bench_nvml.throttle_reasons(4 | 128 | 1) == ("software power cap", "power brake")
    assert bench_nvml.throttle_reasons(8 | 32 | 64) == (
        "hardware slowdown",
        "software thermal",
        "hardware thermal",
    )


def test_the_fake_has_the_names_and_numbers_of_the_real_module() -> None:
    import pynvml

    for name in dir(Nvml):
        if name.startswith("NVML_"):
            assert getattr(pynvml, name) == getattr(Nvml, name)
        elif name.startswith("nvml"):
            assert callable(getattr(pynvml, name))
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


def test_a_card_without_a_power_cap_is_none(nvml: Nvml) -> None:
    environment = describe_environment(GPU, "hash")
    assert (environment["power_cap_w"], environment["device"]) == (700.0, "Fake H1")
    nvml.cap_mw = replay(None)
    assert describe_environment(GPU, "hash")["power_cap_w"] is None
