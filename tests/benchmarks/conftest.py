"""What benchmarks share: the device, data on it, and the refusal to time a GPU asynchronously."""

import pytest
import torch

from bench.counts.count import noise_split
from data_pipeline import ResidentSplit

TIMER = "tests.benchmarks.timer.synchronized_s"


@pytest.fixture(scope="session")
def device() -> torch.device:
    """The first visible GPU, else the CPU; `make benchmark GPU=cpu` shows none."""
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


@pytest.fixture(scope="session")
def split(device: torch.device) -> ResidentSplit:
    """1,024 random images: the content costs no time, the shape does."""
    return noise_split(1024, 28, device)


@pytest.fixture(autouse=True)
def _timed_with_the_device(request: pytest.FixtureRequest, device: torch.device) -> None:
    """Fails what would time a GPU by a timer that does not wait for it."""
    option = request.config.getoption
    is_timed = option("benchmark_enable") or not option("benchmark_disable")
    is_ours = str(option("benchmark_timer")) == TIMER
    if "benchmark" in request.fixturenames and is_timed and device.type == "cuda" and not is_ours:
        pytest.fail(
            f"what a GPU does is timed with --benchmark-timer={TIMER}: run `make benchmark`"
        )
