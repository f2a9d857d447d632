"""The energy of a CPU, replayed from files as the kernel's powercap has them."""

from errno import EACCES
from pathlib import Path

import pytest

from bench.machine.memory import CpuMemoryMeter
from bench.machine.meters import Meters
from bench.machine.rapl import READ_EVERY_S, Rapl, Zone, measure_idle_power, open_rapl
from bench.measure.findings import Findings
from bench.measure.outcome import report_energy
from tests.bench.train.training_by_hand import FakeClock

WRAPS_AT = 1_000_000_000  # microjoules: 1 kJ
ZONES = {  # as an Intel server lists them; psys holds the packages, core is a part of one
    "intel-rapl:0": "package-0",
    "intel-rapl:0:0": "core",
    "intel-rapl:0:1": "dram",
    "intel-rapl:1": "package-1",
    "intel-rapl:2": "psys",
    "intel-rapl-mmio:0": "package-0",  # the same counter once more
}


@pytest.fixture
def powercap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of two packages, all counters at 0 as soon as somebody has waited."""
    for folder, name in ZONES.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "name").write_text(f"{name}\n", encoding="ascii")
        (tmp_path / folder / "max_energy_range_uj").write_text(f"{WRAPS_AT}\n", encoding="ascii")
    count(tmp_path, **dict.fromkeys(ZONES.values(), -1e-6))
    zeros = dict.fromkeys(ZONES.values(), 0.0)
    monkeypatch.setattr("time.sleep", lambda _seconds: count(tmp_path, **zeros))
    (tmp_path / "intel-rapl").mkdir()  # the control type itself counts nothing
    return tmp_path


def count(powercap: Path, **joules: float) -> None:
    """Sets counters, by the kernel's names of their zones; they wrap as the kernel's do."""
    for folder, name in ZONES.items():
        if name in joules:
            text = f"{round(joules[name] * 1e6) % WRAPS_AT}\n"
            (powercap / folder / "energy_uj").write_text(text, encoding="ascii")


def opened(powercap: Path, clock: FakeClock | None = None) -> Rapl:
    found, reason = open_rapl(powercap, (clock or FakeClock()).now)
    assert found is not None, reason
    return found


def test_packages_and_their_memory_are_added_and_nothing_twice(powercap: Path) -> None:
    counter = opened(powercap)
    assert counter.energy_method == "rapl package+dram"
    assert counter.energy_joules() == 0.0
    count(powercap, **{"package-0": 50, "package-1": 7, "dram": 3, "core": 40, "psys": 99})
    assert counter.energy_joules() == 60.0


def test_a_machine_that_counts_no_memory_says_so_in_its_method(powercap: Path) -> None:
    """Energies with and without memory are not compared: the method tells them apart."""
    (powercap / "intel-rapl:0:1" / "name").write_text("uncore\n", encoding="ascii")
    assert opened(powercap).energy_method == "rapl package"


def test_a_counter_that_wraps_goes_on(powercap: Path) -> None:
    counter = opened(powercap)
    count(powercap, **{"package-0": 990})
    assert counter.energy_joules() == 0.0  # it counts from its first reading
    count(powercap, **{"package-0": 1_020, "package-1": 5})
    assert counter.energy_joules() == 35.0


def test_a_long_window_is_read_before_the_counter_wraps_twice(powercap: Path) -> None:
    clock = FakeClock()
    meters = Meters(clock, CpuMemoryMeter(0), opened(powercap, clock))
    mark = meters.open()
    for second in range(0, 200, 10):  # 20 W: readings at the edges alone would lose 4 wraps
        count(powercap, **{"package-0": 20.0 * second})
        clock.pass_time(10.0)
        meters.seconds_at(mark)
    count(powercap, **{"package-0": 4_000.0})
    meters.close()
    assert meters.energy_j() == (4_000.0, "")
    assert READ_EVERY_S < 1_000 / 20


def test_a_record_tells_energy_method_and_what_idling_costs(powercap: Path) -> None:
    clock = FakeClock()
    meters, findings = Meters(clock, CpuMemoryMeter(0), opened(powercap, clock)), Findings()
    meters.open()
    count(powercap, **{"package-0": 120.0, "dram": 10.0})
    clock.pass_time(1.0)  # a GPU's counter would not resolve it
    meters.close()
    report_energy(meters, (40.0, ""), findings)
    assert {name: found.values for name, found in findings.measurements.items()} == {
        "energy": (130.0,),
        "idle_power": (40.0,),
        "energy_above_idle": (90.0,),
    }
    assert findings.conditions == {"energy_method": "rapl package+dram"}


def test_idle_power_is_energy_over_time(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = iter([0.0, 0.0, 15.0])
    monkeypatch.setattr(
        "time.sleep", lambda _seconds: count(powercap, **{"package-0": next(passed)})
    )
    seconds = iter([0.0, 0.0, 0.5, 0.5])
    assert measure_idle_power(powercap, lambda: next(seconds)) == (30.0, "")


def test_what_hides_the_counters_is_the_reason(
    powercap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(zone: Zone) -> int:
        raise PermissionError(EACCES, "", str(zone.counter))

    assert open_rapl(powercap / "gone")[1].startswith("no energy counter")
    monkeypatch.setattr(Zone, "read_uj", refuse)
    none, reason = open_rapl(powercap)
    assert none is None
    assert reason.startswith(f"only root may read {powercap}/intel-rapl:0/energy_uj; sudo chmod")
    monkeypatch.undo()  # nobody moves a counter any more
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    assert open_rapl(powercap) == (None, "the energy counter of this CPU stands still")
    (powercap / "intel-rapl:1" / "energy_uj").unlink()  # half of the energy is none
    assert "cannot be read" in open_rapl(powercap)[1]


def test_a_counter_that_stops_answering_ends_the_measurement(powercap: Path) -> None:
    counter = opened(powercap)
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    assert counter.energy_joules() is None
