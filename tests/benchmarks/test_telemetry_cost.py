"""What the background sampler costs a loop of small steps: with and without it, in one run."""

import statistics
import time
from collections.abc import Iterator

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.machine.nvml import Sampler
from tests.bench.machine.nvml_by_hand import Nvml, fake_gpu

STEPS = 2000  # some 0.2 s: a reading or two a loop
ANSWER_S = 1e-3  # a slow driver's, outside the interpreter's lock as NVML's calls are


def answers() -> Iterator[int]:
    """Temperatures that take their time."""
    while True:
        time.sleep(ANSWER_S)
        yield 54


def train() -> float:
    """Seconds of a loop of small steps, bound by the interpreter like a small net's on a GPU."""
    weights, images = torch.zeros(64, 10, requires_grad=True), torch.ones(32, 64)
    started = time.perf_counter()
    for _ in range(STEPS):
        (gradient,) = torch.autograd.grad((images @ weights).square().mean(), [weights])
        with torch.no_grad():
            weights -= 1e-3 * gradient
    return time.perf_counter() - started


def train_sampled(sampler: Sampler) -> float:
    """Seconds of that loop with the sampler at work."""
    sampler.open(0.0)
    seconds = train()
    sampler.close()
    return seconds


@pytest.mark.usefixtures("one_thread")
def test_pairs_with_and_without_the_sampler(benchmark: BenchmarkFixture) -> None:
    """A round is a pair, in turns AB and BA; the ratio of the pairs is in the JSON's extra_info."""
    sampler, ratios = Sampler(fake_gpu(Nvml(celsius=answers()))), list[float]()

    def pair() -> None:
        if len(ratios) % 2:
            without, sampled = train(), train_sampled(sampler)
        else:
            sampled, without = train_sampled(sampler), train()
        ratios.append(sampled / without)

    benchmark.pedantic(pair, rounds=20, warmup_rounds=1)
    benchmark.extra_info["with_over_without"] = statistics.median(ratios[1:] or ratios)
    benchmark.extra_info["readings"] = len(sampler.readings)
    assert all(ratio > 0 for ratio in ratios)
