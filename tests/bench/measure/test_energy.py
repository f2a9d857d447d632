"""Energy by counter and by power, what idling costs of it, and what a run reports of its GPU."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bench import Budget, RunSpec, execute
from bench.errors import RunError
from bench.machine.clock import CpuClock
from bench.machine.meters import Meters, make_meters
from bench.machine.nvml import MIN_WINDOW_S, Gpu, Sampler, measure_idle_power
from bench.machine.rapl import open_rapl
from bench.measure.findings import Findings
from bench.measure.outcome import report_energy
from bench.run import seed as measure
from bench.train.session import Session
from tests.bench.machine.nvml_by_hand import (
    GPU,
    Nvml,
    by_hand,
    fake_gpu,
    replay,
    stop_at_once,
    work,
)
from tests.bench.run.session_by_hand import measured, open_session
from tests.bench.train.training_by_hand import RECIPE, FakeClock, FakeMemory

IDLE = (70.0, "")


def trained(nvml: Nvml, *windows: float, counts: bool = True) -> Meters:
    """Meters of windows of so many seconds, evaluations of 9 s between them."""
    clock = FakeClock()
    sampler = by_hand(nvml, clock)
    meters = Meters(clock, FakeMemory(), fake_gpu(nvml) if counts else None, "", sampler)
    for seconds in windows:
        meters.open()
        work(clock, sampler, seconds)
        meters.close()
        clock.pass_time(9.0)
    return meters


def reported(meters: Meters, idle: tuple[float | None, str] = IDLE) -> Findings:
    findings = Findings()
    report_energy(meters, idle, findings)
    return findings


def values(findings: Findings) -> dict[str, float]:
    return {name: found.values[0] for name, found in findings.measurements.items()}


def test_windows_add_up_and_what_lies_between_is_left_out() -> None:
    meters = trained(Nvml(energy_mj=replay(1_000_000, 1_400_000, 1_900_000, 2_000_000)), 2.0, 2.0)
    assert meters.seconds == pytest.approx(4.0)
    assert meters.energy_j() == (500.0, "")


def test_the_shortest_window_that_is_resolved() -> None:
    meters = Meters(FakeClock(), FakeMemory(), fake_gpu(Nvml()), joules=60.0, seconds=MIN_WINDOW_S)
    assert meters.energy_j() == (60.0, "")


def test_joules_of_an_open_window_are_known() -> None:
    nvml = Nvml(energy_mj=replay(10_000, 25_000, 40_000, 40_000, 41_000))
    meters = Meters(FakeClock(), FakeMemory(), fake_gpu(nvml))
    meters.open()
    assert meters.joules_now() == 15.0
    meters.close()
    meters.open()
    assert meters.joules_now() == 31.0


def test_the_counter_is_preferred_and_idling_subtracted() -> None:
    findings = reported(trained(Nvml(energy_mj=replay(0, 900_000)), 3.0))
    assert values(findings) == {
        "energy": 900.0,
        "idle_power": 70.0,
        "energy_above_idle": pytest.approx(900.0 - 3.0 * 70.0),
    }
    assert findings.conditions["energy_method"] == "counter"
    assert findings.missing == {}


def test_a_card_without_a_counter_integrates_power_over_its_windows() -> None:
    nvml = Nvml(instant_mw=replay(*[200_000] * 10, *[400_000] * 20))
    findings = reported(trained(nvml, 1.0, 2.0, counts=False))
    assert values(findings)["energy"] == pytest.approx(200 + 800, rel=0.02)
    assert findings.conditions["energy_method"] == "power"


@pytest.mark.parametrize("counts", [True, False])
def test_too_short_a_training_is_unresolved(counts: bool) -> None:
    findings = reported(trained(Nvml(), 0.5, 1.4, counts=counts))
    reason = "unresolved: 1.90 s of training are less than 2 s"
    assert findings.missing == {"energy": reason, "energy_above_idle": reason}
    assert values(findings) == {"idle_power": 70.0}
    assert findings.conditions["energy_method"] is None


@pytest.mark.parametrize("readings", [(0, None), (None, 5_000)])
def test_a_counter_that_fails_gives_way_to_power(readings: tuple[int | None, int | None]) -> None:
    meters = trained(Nvml(energy_mj=replay(*readings, 900_000)), 1.0, 2.0)
    assert meters.energy_method == "power"
    assert meters.energy_j()[0] == pytest.approx(900.0)
    assert meters.counter is None


def test_a_counter_that_fails_with_no_power_known_is_a_reason_and_ends_a_budget() -> None:
    meters = Meters(FakeClock(), FakeMemory(), fake_gpu(Nvml(energy_mj=replay(0, None))))
    meters.open()
    with pytest.raises(RunError, match="stopped answering") as lost:
        meters.joules_now()
    assert lost.value.status == "crashed"
    meters.close()
    assert meters.energy_j() == (None, "the energy counter stopped answering")


def test_a_budget_in_joules_ends_where_nothing_counts_them() -> None:
    with pytest.raises(RunError, match="a CPU run") as none:
        Meters(FakeClock(), FakeMemory(), None, "a CPU run").joules_now()
    assert none.value.status == "unsupported"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were slept, which take no time."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


def test_idle_power_is_the_median_of_what_is_known(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml = Nvml(instant_mw=replay(71_000, None, 600_000, 70_000), average_mw=replay(None))
    nvml.install(monkeypatch)
    assert measure_idle_power(GPU) == (70.0, "")
    assert sum(pauses) == pytest.approx(1.0)
    Nvml(instant_mw=replay(None), average_mw=replay(None)).install(monkeypatch)
    assert measure_idle_power(GPU) == (None, "this GPU tells no power")


def test_an_unknown_idle_power_leaves_the_energy_alone() -> None:
    findings = reported(trained(Nvml(energy_mj=replay(0, 900_000)), 3.0), (None, "no sensor"))
    assert values(findings) == {"energy": 900.0}
    assert findings.missing == {"idle_power": "no sensor", "energy_above_idle": "no sensor"}


def test_throttling_flags_the_row_and_keeps_it() -> None:
    findings = reported(trained(Nvml(event_reasons=replay(0, 4, 0)), 2.0))
    assert findings.flags == ["throttled"]
    assert findings.conditions["throttle_reasons"] == ["software power cap"]
    assert "energy" in findings.measurements
    idle = reported(trained(Nvml(event_reasons=replay(1, 2, 0)), 2.0))
    assert (idle.flags, idle.conditions["throttle_reasons"]) == ([], [])


def test_the_meters_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml, model = Nvml(), torch.nn.Linear(1, 1)
    nvml.install(monkeypatch)
    meters = make_meters(GPU, model)
    assert isinstance(meters.counter, Gpu)
    assert meters.energy_method == "counter"
    nvml.energy_mj = replay(None)
    assert make_meters(GPU, model).energy_method == "power"


def test_two_gpus_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Nvml().install(monkeypatch)
    meters = make_meters(GPU, torch.nn.Linear(1, 1), is_parallel=True)
    reason = "plan dp: NVML is read for one GPU only"
    assert (meters.counter, meters.sampler, meters.energy_j()) == (None, None, (None, reason))
    assert set(reported(meters).missing.values()) == {reason}
    assert reported(meters).measurements == {}


def test_a_run_on_a_cpu_without_a_counter_names_the_reason(
    one_thread: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bench.machine.meters.open_rapl", lambda: open_rapl(tmp_path))
    findings = measured()
    assert findings.conditions == {"energy_method": None}
    reasons = [findings.missing[name] for name in ("energy", "idle_power", "energy_above_idle")]
    assert reasons == ["no energy counter (RAPL)"] * 3


def test_a_run_keeps_steps_and_readings_side_by_side(
    one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = fake_gpu(Nvml(event_reasons=replay(4)))
    sampler = Sampler(gpu, wait=stop_at_once)
    sampler.take()
    meters = Meters(CpuClock(), FakeMemory(), gpu, "", sampler)
    monkeypatch.setattr(measure, "make_meters", lambda *_, **__: meters)
    findings = measured()
    assert findings.samples.keys() >= {"loss", "chunk_steps", "gpu_time_s", "gpu_power_w"}
    assert "throttled" in findings.flags


def test_conditions_of_a_run_come_into_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(
        _session: object, _spec: object, findings: Findings, _watch: object, _artifacts: object
    ) -> None:
        findings.conditions["gpu_temperature_c"] = 61.0

    monkeypatch.setattr(measure, "run_seed", find)
    monkeypatch.setattr(Session, "open", lambda spec, *_: open_session(spec))
    monkeypatch.setattr("data_pipeline.ensure_data", lambda _: SimpleNamespace(data_hash=""))
    record = execute(RunSpec(model="v0", recipe=RECIPE, budget=Budget(1, "steps")), device="cpu")
    assert record.status == "ok"
    assert record.conditions["gpu_temperature_c"] == 61.0
    assert "num_threads" in record.conditions
