"""The fork server: nothing that it imports may look for a GPU, or no child could use one."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.machine.device import gpu_taken_on_trust
from tests.command_line import LIMIT_S

ROOT = Path(__file__).parents[3]
WATCHED = """
import sys
import torch

for name in ("_cuda_getDeviceCount", "_cuda_init"):
    looked = lambda *_, name=name: sys.stdout.write(f"{name} ")  # as torch asks CUDA
    setattr(torch._C, name, looked)
import bench.workers.preload
sys.stdout.write("torch._inductor.compile_fx" in sys.modules and "all there")
"""


@pytest.mark.slow
def test_nothing_asks_cuda_whether_it_is_there() -> None:
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WATCHED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_S,
    )
    assert found.stdout == "all there"


def test_whoever_asks_while_a_compiler_is_imported_is_answered_without_a_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look() -> bool:
        raise AssertionError("this is cuInit, in the process that children are forked from")

    monkeypatch.setattr(torch.cuda, "is_available", look)
    with gpu_taken_on_trust():  # torch 2.11's benchmarking.py asks, 2.14's does not
        assert torch.cuda.is_available()
    assert torch.cuda.is_available is look
