"""What a run may use of its process and machine, and whether a sweep may be gone on with."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import Plan, UsageError
from bench.errors import RunError
from bench.machine import device
from bench.machine.compilers import NO_COMPILER
from bench.sweep.folders import check_same
from results import RunStore
from tests.bench.ladder.ladder_by_hand import SPEC
from tests.command_line import REPOSITORY
from tests.results.records_by_hand import ENVIRONMENT, make_record

BEGIN = """
import sys
from types import SimpleNamespace
from bench.run import runner

def begin():
    sys.exit("bench.train.session" in sys.modules)

runner.time = SimpleNamespace(perf_counter=begin)
next(runner.execute_seeds(None, [0]))
"""


def test_the_imports_of_training_are_in_the_cold_total() -> None:
    subprocess.run([sys.executable, "-c", BEGIN], cwd=REPOSITORY, check=True)


@pytest.mark.parametrize("plan", ["compile", "channels_last,step:5,threads:1"])
def test_a_compiled_plan_without_a_compiler_is_unsupported(
    plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(SPEC, plan=Plan.parse(plan))
    monkeypatch.setattr(device, "why_no_compiler", lambda: None)
    device.check_supported(spec, torch.device("cpu"))
    monkeypatch.setattr(device, "why_no_compiler", lambda: NO_COMPILER)
    device.check_supported(replace(spec, plan=Plan()), torch.device("cpu"))
    with pytest.raises(RunError, match=r"needs a C\+\+ compiler: install g\+\+.* --plan") as caught:
        device.check_supported(spec, torch.device("cpu"))
    assert caught.value.status == "unsupported"


def test_data_parallel_needs_two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, gpu = replace(SPEC, plan=Plan.parse("dp")), torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    device.check_supported(spec, gpu)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(RunError, match="at least two visible GPUs"):
        device.check_supported(spec, gpu)


def test_a_sweep_is_not_resumed_in_another_environment(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.append(make_record())
    check_same(store, ENVIRONMENT, [])
    with pytest.raises(UsageError, match="begun with another torch than 9"):
        check_same(store, ENVIRONMENT | {"torch": "9"}, [])
