"""Peak memory of a CPU process: what the windows held, and nothing else."""

import sys
from pathlib import Path

import pytest
import torch

from bench.machine import memory, memory_limit
from bench.machine.memory import CpuMemoryMeter
from bench.machine.meters import make_meters
from tests.bench.train.training_by_hand import small_net

MIB = 2**20
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

pytestmark = pytest.mark.usefixtures("one_thread", "quick_collections")


def hold(mebibytes: int) -> None:
    """Touches every page of a tensor and lets it go."""
    torch.ones(mebibytes * MIB, dtype=torch.uint8).add_(1)


@linux_only
def test_the_peak_is_the_weights_plus_what_a_window_held() -> None:
    meter = CpuMemoryMeter(model_bytes=1000 * MIB)
    meter.open()
    hold(200)
    meter.close()
    peak, _ = meter.peak_bytes()
    assert peak == pytest.approx(1200 * MIB, abs=30 * MIB)


@linux_only
def test_only_the_first_window_counts() -> None:
    meter = CpuMemoryMeter(model_bytes=0)
    hold(300)
    for held in (100, 50):
        meter.open()
        hold(held)
        meter.close()
        hold(300)
    peak, _ = meter.peak_bytes()
    assert peak == pytest.approx(100 * MIB, abs=30 * MIB)


@linux_only
def test_memory_freed_before_a_window_is_not_taken_for_granted() -> None:
    """The allocator keeps small blocks: a step that uses them again must still be seen to."""
    blocks = [torch.ones(64 * 1024, dtype=torch.uint8) for _ in range(2000)]
    pin = torch.ones(64 * 1024, dtype=torch.uint8)  # keeps the end of the heap in use
    blocks.clear()
    meter = CpuMemoryMeter(model_bytes=0)
    meter.open()
    blocks = [torch.ones(64 * 1024, dtype=torch.uint8) for _ in range(2000)]
    meter.close()
    peak, _ = meter.peak_bytes()
    assert peak == pytest.approx(2000 * 64 * 1024, abs=30 * MIB)
    assert len(blocks) * pin.nbytes == 2000 * 64 * 1024


def test_the_meter_of_a_cpu_knows_the_weights_and_buffers() -> None:
    model = small_net()
    meter = make_meters(torch.device("cpu"), model).memory
    assert isinstance(meter, CpuMemoryMeter)
    assert meter.model_bytes == sum(tensor.nbytes for tensor in model.state_dict().values())


@pytest.mark.parametrize("name", ["STATUS", "CLEAR_REFS"])
def test_without_proc_the_peak_is_unknown_with_a_reason(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    owner = memory_limit if name == "STATUS" else memory
    monkeypatch.setattr(owner, name, tmp_path / "absent" / "file")
    meter = CpuMemoryMeter(model_bytes=1)
    meter.open()
    meter.close()
    peak, reason = meter.peak_bytes()
    assert peak is None
    assert "reset its peak" in reason


def test_a_status_without_the_figure_is_unknown_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\n", encoding="ascii")
    monkeypatch.setattr(memory_limit, "STATUS", status)
    meter = CpuMemoryMeter(model_bytes=1)
    meter.open()
    meter.close()
    assert meter.peak_bytes()[0] is None


def test_optimizer_state_that_is_there_already_counts() -> None:
    model = torch.nn.Linear(4, 3)
    optimizer = torch.optim.AdamW(model.parameters())
    alone = make_meters(torch.device("cpu"), model, optimizer).memory
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    prepared = make_meters(torch.device("cpu"), model, optimizer).memory
    assert isinstance(alone, CpuMemoryMeter)
    assert isinstance(prepared, CpuMemoryMeter)
    assert prepared.model_bytes - alone.model_bytes == 2 * 15 * 4 + 2 * 4  # moments, step counts
