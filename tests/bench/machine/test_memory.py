"""Peak memory of a CPU process: what the windows held, and nothing else."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

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
def test_the_peak_is_the_weights_plus_what_the_first_window_held() -> None:
    meter = CpuMemoryMeter(model_bytes=1000 * MIB)
    hold(300)
    for held in (100, 50):
        meter.open()
        hold(held)
        meter.close()
        hold(300)
    peak, _ = meter.peak_bytes()
    assert peak == pytest.approx(1100 * MIB, abs=30 * MIB)


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


@pytest.mark.parametrize("case", ["no status", "no figure in the status", "no peak to reset"])
def test_without_proc_the_peak_is_unknown_with_a_reason(
    case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if case == "no figure in the status":
        (tmp_path / "file").write_text("Name:\tpython\n", encoding="ascii")
    owner, name = (memory, "CLEAR_REFS") if "reset" in case else (memory_limit, "STATUS")
    monkeypatch.setattr(owner, name, tmp_path / ("absent/file" if "reset" in case else "file"))
    meter = CpuMemoryMeter(model_bytes=1)
    meter.open()
    meter.close()
    peak, reason = meter.peak_bytes()
    assert peak is None
    assert "reset its peak" in reason


def held_bytes(model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> int:
    meter = make_meters(torch.device("cpu"), model, optimizer).memory
    assert isinstance(meter, CpuMemoryMeter)
    return meter.model_bytes


def test_weights_buffers_and_state_that_is_there_already_count() -> None:
    model = small_net()
    weights = sum(tensor.nbytes for tensor in model.state_dict().values())
    optimizer = torch.optim.AdamW(model.parameters())
    assert held_bytes(model) == held_bytes(model, optimizer) == weights
    parameters = list(model.parameters())
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    moments, counts = 2 * sum(p.nbytes for p in parameters), 4 * len(parameters)
    assert held_bytes(model, optimizer) == weights + moments + counts
