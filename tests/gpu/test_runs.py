"""What can only be seen on a CUDA device; every test here skips itself where there is none."""

import os
from dataclasses import replace
from multiprocessing import forkserver
from pathlib import Path

import pytest
import torch

from bench import RECIPES, Budget, Plan, RunSpec, execute
from bench.machine.clock import CudaClock
from bench.machine.memory import CudaMemoryMeter
from bench.machine.meters import make_meters
from bench.machine.nvml import measure_idle_power, open_gpu
from bench.run.runner import execute_seeds
from bench.sweep.child import CheckJob, RunJob, check_request, run_seeds
from bench.workers.isolation import Child, ask
from results import RunRecord
from tests.command_line import LIMIT_S

pytestmark = pytest.mark.gpu
MIB = 2**20
ROOM_BYTES = 20 * 2**30  # a step of the greedy model asks for twice as much
FP32 = replace(RECIPES["default"], precision="fp32", learning_rate=1e-3)


def spec_of(model: str, plan: str, *, steps: int = 20) -> RunSpec:
    return RunSpec(model=model, recipe=FP32, budget=Budget(steps, "steps"), plan=Plan.parse(plan))


def losses_of(spec: RunSpec, data_root: Path, device: str = "cuda:0") -> torch.Tensor:
    result = next(execute_seeds(spec, [0], device=device, data=data_root))
    assert (result.record.status, result.record.reason) == ("ok", None)
    return torch.from_numpy(result.samples["loss"]).double()


def test_events_measure_the_work_and_not_its_launch() -> None:
    clock, matrix = CudaClock(torch.device("cuda:0")), torch.randn(4096, 4096, device="cuda")
    matrix @ matrix
    clock.synchronize()
    start, begun = clock.mark(), clock.now()
    for _ in range(50):
        matrix @ matrix
    launched_s = clock.now() - begun
    assert clock.seconds_between(start, clock.mark()) > launched_s


def test_the_peak_is_that_of_the_windows() -> None:
    meter = CudaMemoryMeter(torch.device("cuda:0"))
    before = torch.cuda.memory_allocated()
    meter.open()
    inside = torch.empty(64 * MIB, dtype=torch.uint8, device="cuda")
    del inside
    meter.close()
    between = torch.empty(256 * MIB, dtype=torch.uint8, device="cuda")
    del between
    peak, _ = meter.peak_bytes()
    assert peak == pytest.approx(before + 64 * MIB, abs=2 * MIB)


def test_nvml_knows_the_device_by_its_uuid() -> None:
    gpu, reason = open_gpu(torch.device("cuda:0"))
    assert gpu is not None, reason
    assert (gpu.energy_joules() or 0.0) > 0
    assert (gpu.power_cap_watts() or 0.0) >= (gpu.power_watts() or 0.0) > 0
    assert None not in gpu.read()


def test_idling_draws_less_than_the_cap() -> None:
    watts, reason = measure_idle_power(torch.device("cuda:0"))
    gpu, _ = open_gpu(torch.device("cuda:0"))
    assert watts is not None, reason
    assert gpu is not None
    assert 0 < watts < (gpu.power_cap_watts() or 0.0)


def test_three_seconds_of_work_have_energy_by_both_methods() -> None:
    device = torch.device("cuda:0")
    matrix, meters = torch.randn(4096, 4096, device=device), make_meters(device, torch.nn.Module())
    meters.open()
    while meters.seconds_at(meters.clock.mark()) < 3.0:
        matrix @ matrix
    meters.close()
    assert meters.energy_method == "counter"
    assert meters.sampler is not None
    counted, sampled = meters.energy_j()[0], meters.sampler.energy_j(meters.seconds)[0]
    assert len(meters.sampler.readings) == pytest.approx(30, abs=10)
    assert counted == pytest.approx(sampled, rel=0.5)  # zeus saw a factor of 1.7 while idle


def test_a_run_of_seconds_has_energy_above_idling_and_clocks(data_root: Path) -> None:
    spec = replace(spec_of("v2", "contiguous"), budget=Budget(3.0, "s"))
    record = execute(spec, device="cuda:0", data=data_root)
    assert (record.value("energy") or 0.0) > (record.value("energy_above_idle") or 0.0) > 0
    assert record.conditions["energy_method"] == "counter"
    assert record.conditions["gpu_sm_clock_mhz"][0] > 0


def test_the_first_loss_is_that_of_the_cpu(data_root: Path) -> None:
    # the orders differ afterwards: each device has a generator of its own
    spec = replace(spec_of("v2", "contiguous"), recipe=replace(FP32, augment=()))
    on_cpu, on_gpu = (losses_of(spec, data_root, device) for device in ("cpu", "cuda:0"))
    assert on_gpu[0] == pytest.approx(float(on_cpu[0]), rel=0.05)


def test_bf16_learns(data_root: Path) -> None:
    recipe = replace(RECIPES["default"], precision="bf16")
    record = execute(RunSpec(model="v2", recipe=recipe, budget=Budget(1, "epochs")), data=data_root)
    assert (record.value("test_accuracy") or 0.0) > 0.8
    assert (record.value("peak_memory") or 0.0) > 40 * MIB  # the resident images alone


def test_a_seconds_budget_stops_within_a_chunk(data_root: Path) -> None:
    spec = replace(spec_of("v0", "contiguous"), budget=Budget(1.0, "s"))
    record = execute(spec, device="cuda:0", data=data_root)
    assert abs(record.value("overrun") or 0.0) < 0.1


def test_children_use_the_gpu_and_the_fork_server_does_not(data_root: Path) -> None:
    job = CheckJob("cuda:0", "")
    assert ask(check_request, job)["environment"]["device_kind"] == "cuda"
    run = RunJob(spec_of("v0", "contiguous").resolved_for("cuda"), (0,), "cuda:0", data_root)
    child = Child.start(run_seeds, run)  # a context in the server would break it
    frames = dict(child.messages(timeout_s=LIMIT_S, should_stop=lambda: False))
    child.kill()
    assert RunRecord.from_json_line(frames["record"][0].encode()).status == "ok"
    torch.cuda.synchronize()
    assert gpu_files_of(os.getpid())  # so that it is known that they can be seen
    assert gpu_files_of(forkserver._forkserver._forkserver_pid) == []  # type: ignore[attr-defined]


def gpu_files_of(pid: int) -> list[str]:
    """Files of the driver that a process has opened or mapped."""
    process = Path(f"/proc/{pid}")
    opened = [str(link.readlink()) for link in (process / "fd").iterdir() if link.is_symlink()]
    mapped = [line.split()[-1] for line in (process / "maps").read_text().splitlines()]
    return [name for name in (*opened, *mapped) if name.startswith("/dev/nvidia")]


def test_out_of_memory_is_a_row_and_the_next_run_finds_the_memory_free(data_root: Path) -> None:
    greedy = replace(spec_of("resnet18_3x3", "contiguous"), recipe=replace(FP32, batch_size=20_000))
    free, _ = torch.cuda.mem_get_info()
    hog = torch.empty(max(0, int(free - ROOM_BYTES)), dtype=torch.uint8, device="cuda")
    record = execute(greedy, device="cuda:0", data=data_root)
    assert record.status == "out_of_memory"
    del hog
    assert execute(spec_of("v0", "contiguous"), device="cuda:0", data=data_root).status == "ok"
    torch.cuda.empty_cache()  # other processes want memory, too
    left, _ = torch.cuda.mem_get_info()
    assert left > 0.95 * free
