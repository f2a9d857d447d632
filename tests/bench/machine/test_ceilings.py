"""Measured ceilings: the best of repeats, monotone in size, cached by environment."""

import statistics
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch

from bench.machine import cache, ceilings
from bench.machine.ceilings import (
    MIB,
    Ceilings,
    best_seconds,
    ceilings_of,
    copy_rate,
    matmul_rate,
    measure_ceilings,
    renewed_ceilings,
)
from bench.machine.clock import CpuClock
from tests.bench.train.training_by_hand import FakeClock

CPU = torch.device("cpu")
SEEN = Ceilings({MIB: 50e9, 8 * MIB: 90e9, 64 * MIB: 20e9}, {"fp32": 1e11}, 2e-6)
PLAIN = msgspec.to_builtins(SEEN, str_keys=True)
ENVIRONMENT = {"device": "a chip", "num_cores": 2, "torch": "2.14.1", "data_hash": "1c"}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Ceilings]:
    """What the next measurements will give; the cache is an empty one."""
    answers = [SEEN]
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    monkeypatch.setattr(ceilings, "measure_ceilings", lambda _device: answers.pop(0))
    return answers


@pytest.mark.parametrize(
    ("num_bytes", "rate"),
    [(100, 90e9), (2 * MIB, 90e9), (8 * MIB, 90e9), (63 * MIB, 90e9), (900 * MIB, 20e9)],
)
def test_a_smaller_pass_is_never_bound_to_be_slower(num_bytes: int, rate: float) -> None:
    assert SEEN.bandwidth(num_bytes) == rate


@pytest.mark.parametrize(
    ("costs", "best_s", "num_calls"),
    [
        ([9.0, 0.5, *[3.0, 0.25, 2.0] * 20], 0.25, 2 + ceilings.MIN_REPEATS),
        ([2**-14] * 1000, 2**-14, 2 + ceilings.MAX_REPEATS * 16),  # 16 take a millisecond
    ],
    ids=["long calls are repeated three times", "short ones are timed by the millisecond"],
)
def test_the_fastest_repeat_counts(costs: list[float], best_s: float, num_calls: int) -> None:
    clock, left = FakeClock(), iter(costs)
    assert best_seconds(lambda: clock.work(next(left)), clock, CPU) == best_s
    assert len(costs) - len(list(left)) == num_calls


def test_rates_of_this_machine_are_plausible(one_thread: None) -> None:
    draw, clock = torch.Generator(CPU).manual_seed(0), CpuClock()
    source, target = torch.rand(MIB // 8), torch.rand(MIB // 8)
    single_s = [ceilings._seconds(lambda: target.copy_(source), clock) for _ in range(9)]
    best = copy_rate(MIB, draw, clock)
    # half: a busy machine changes its mind
    assert 0.5 * MIB / statistics.median(single_s) <= best < 1e14
    assert 1e7 < matmul_rate("fp32", draw, clock) < 1e15
    assert 1e-8 < ceilings.latency(draw, clock) < 1e-3


def test_measuring_leaves_switches_and_random_states_alone(
    monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    monkeypatch.setattr(ceilings, "COPY_BYTES", {"cpu": (64 * 1024,)})
    monkeypatch.setattr(ceilings, "MATMUL_SIZES", {"cpu": (16,)})
    monkeypatch.setattr(ceilings, "CALL_S", 1e-5)
    torch.use_deterministic_algorithms(True, warn_only=True)
    rng = torch.get_rng_state()
    try:
        found = measure_ceilings(CPU)
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(torch.get_rng_state(), rng)
    assert torch.get_num_threads() == 1
    assert found.copy_bytes_per_s.keys() == {64 * 1024}
    assert found.matmul_flops_per_s.keys() == {"fp32", "bf16"}


def test_a_precision_that_cannot_be_had_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> float:
        raise RuntimeError("not implemented for 'BFloat16'")

    for name in ("copy_rate", "matmul_rate"):
        monkeypatch.setattr(ceilings, name, refuse)
    threads = torch.get_num_threads()
    found = measure_ceilings(CPU)
    assert (found.copy_bytes_per_s, found.matmul_flops_per_s) == ({}, {})
    assert torch.get_num_threads() == threads


def test_ceilings_are_measured_once_an_environment(measured: list[Ceilings]) -> None:
    assert ceilings_of(CPU, ENVIRONMENT) == SEEN
    assert ceilings_of(CPU, ENVIRONMENT | {"data_hash": "2d"}) == SEEN
    assert measured == []
    with pytest.raises(IndexError):
        ceilings_of(CPU, ENVIRONMENT | {"power_cap_w": 300.0})


def test_measuring_anew_keeps_the_better_figures(measured: list[Ceilings]) -> None:
    ceilings_of(CPU, ENVIRONMENT)
    measured.append(Ceilings({MIB: 60e9, 8 * MIB: 10e9}, {"fp32": 9e10, "bf16": 4e11}, 3e-6))
    copies = {MIB: 60e9, 8 * MIB: 90e9, 64 * MIB: 20e9}
    better = Ceilings(copies, {"fp32": 1e11, "bf16": 4e11}, 2e-6)
    assert renewed_ceilings(CPU, ENVIRONMENT) == better
    assert ceilings_of(CPU, ENVIRONMENT) == better


@pytest.mark.parametrize(
    "spoilt",
    [
        {},
        {"copy_bytes_per_s": 3},
        PLAIN | {"latency_s": None},
        PLAIN | {"latency_s": "nan"},
        PLAIN | {"matmul_flops_per_s": {"fp32": 0}},
        PLAIN | {"copy_bytes_per_s": {"0": 1.0}},
    ],
)
def test_a_cache_of_another_form_is_measured_over(
    spoilt: dict[str, Any], measured: list[Ceilings]
) -> None:
    cache.write_cached(ceilings._cache_name(ENVIRONMENT), spoilt)
    assert ceilings_of(CPU, ENVIRONMENT) == SEEN


@pytest.mark.gpu
def test_ceilings_of_a_gpu() -> None:
    device = torch.device("cuda:0")
    rng, is_tf32 = torch.cuda.get_rng_state(device), torch.backends.cuda.matmul.allow_tf32
    found = measure_ceilings(device)
    assert torch.equal(torch.cuda.get_rng_state(device), rng)
    assert torch.backends.cuda.matmul.allow_tf32 == is_tf32
    rates = found.matmul_flops_per_s
    assert rates["bf16"] > rates["tf32"] > rates["fp32"] > 1e12
    assert found.copy_bytes_per_s[1024 * MIB] > 1e11
    assert 1e-7 < found.latency_s < 2e-5


def test_a_gpu_gets_its_memory_back_what_cublas_keeps_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    freed: list[str] = []
    monkeypatch.setattr(torch._C, "_cuda_clearCublasWorkspaces", lambda: freed.append("cuBLAS"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: freed.append("cache"))
    monkeypatch.setattr(torch, "Generator", lambda _device: SimpleNamespace(manual_seed=id))
    monkeypatch.setattr(ceilings, "_switches_kept", lambda _device: nullcontext())
    monkeypatch.setattr(ceilings, "_best_of", lambda *_: {})
    monkeypatch.setattr(ceilings, "latency", lambda *_: 1e-6)
    assert measure_ceilings(torch.device("cuda", 0)) == Ceilings({}, {}, 1e-6)
    assert freed == ["cuBLAS", "cache"]
