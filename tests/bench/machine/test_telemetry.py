"""The background sampler: what it keeps, what is derived from it, and that it ends."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from msgspec import json

from bench.machine.meters import Meters
from bench.machine.nvml import Reading, Sampler
from tests.bench.machine.nvml_by_hand import Nvml, by_hand, fake_gpu, replay, work
from tests.bench.train.training_by_hand import FakeClock, FakeMemory


@dataclass
class Waits:
    """Lets a sampler's thread take some readings without waiting, then wait for its end."""

    readings: int
    is_done: threading.Event = field(default_factory=threading.Event)

    def __call__(self, stop: threading.Event, _seconds: float) -> bool:
        """Whether the sampler was told to stop."""
        if self.readings:
            self.readings -= 1
            return False
        self.is_done.set()
        return stop.wait(10.0)


@pytest.fixture(autouse=True)
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


def test_the_thread_reads_until_its_window_is_closed() -> None:
    waits = Waits(3)
    sampler = Sampler(fake_gpu(Nvml(sm_mhz=replay(1980, 1755, 1830))), wait=waits)
    sampler.open(0.0)
    assert waits.is_done.wait(10.0)
    sampler.close()
    assert [reading.sm_clock_mhz for reading in sampler.readings] == [1980, 1755, 1830]


def test_closing_ends_the_wait_at_once_and_may_be_repeated() -> None:
    sampler = Sampler(fake_gpu(Nvml()), wait=lambda stop, _seconds: stop.wait(60.0))
    for _ in range(3):
        sampler.open(0.0)
    sampler.close()
    sampler.close()
    assert sampler.readings == []


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


def test_a_reading_that_raises_is_unknown_and_the_next_is_not() -> None:
    sampler = sampled(Nvml(celsius=replay(50, None, 52)))
    assert [reading.temperature_c for reading in sampler.readings] == [50, None, 52]
    assert [reading.power_w for reading in sampler.readings] == [300.0] * 3


def test_whatever_else_a_driver_raises_ends_neither_thread_nor_run() -> None:
    def ask() -> Iterator[int]:
        yield 50
        raise OSError("the library is gone")

    waits = Waits(3)
    sampler = Sampler(fake_gpu(Nvml(celsius=ask())), wait=waits)
    sampler.open(0.0)
    assert waits.is_done.wait(10.0)
    sampler.close()
    assert sampler.readings[0].temperature_c == 50.0
    assert sampler.readings[1:] == [Reading(), Reading()]


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
    assert sampler.throttled_by() == (
        "software power cap",
        "hardware slowdown",
        "software thermal",
        "hardware thermal",
        "power brake",
    )
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
    assert {name: array.shape for name, array in samples.items()} == dict.fromkeys(
        (
            "gpu_time_s",
            "gpu_power_w",
            "gpu_sm_clock_mhz",
            "gpu_memory_clock_mhz",
            "gpu_temperature_c",
            "gpu_clock_event_reasons",
        ),
        (3,),
    )
    assert np.isnan(samples["gpu_temperature_c"]).tolist() == [False, True, False]
    assert samples["gpu_clock_event_reasons"].tolist() == [1, 4, 4]
    assert samples["gpu_time_s"] == pytest.approx([0.1, 0.2, 0.3])
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
