"""What no graph can hold is refused, with a reason."""

import pytest
import torch
from torch import Tensor, nn

from bench.engine.cuda_graph import check_replay
from bench.engine.failures import loses_device
from bench.errors import RunError
from tests.bench.engine.cuda_by_hand import Simulation
from tests.bench.engine.test_graph_steps import made, simulation
from tests.bench.train.training_by_hand import small_net, some_batches

__all__ = ["simulation"]  # a fixture
pytestmark = pytest.mark.usefixtures("one_thread")


class Reads(nn.Module):
    """Does something with its activations on the host."""

    def __init__(self, read: str) -> None:
        super().__init__()
        self.read = read

    def forward(self, images: Tensor) -> Tensor:
        if self.read == "item":
            return images / max(images.detach().abs().max().item(), 1.0)
        if self.read == "branch":
            return images if images.sum() > 0 else -images
        return images[images.abs() >= 0].view_as(images)  # by a mask


@pytest.mark.parametrize("read", ["item", "branch", "mask"])
def test_a_model_that_waits_is_refused_before_the_capture(
    read: str, simulation: Simulation
) -> None:
    model = small_net().append(Reads(read))
    engine = made(model, "graph:4")
    with pytest.raises(RunError, match="leave graph:N out") as caught:
        engine.run(some_batches(4), [0.1] * 4)
    assert caught.value.status == "unsupported"
    assert not simulation.captures
    assert not simulation.is_poisoned  # other plans of a probe train on in this process
    assert simulation.sync_debug_mode() == 0
    assert_left(simulation)
    assert made(model, "eager").run(some_batches(2), [0.1] * 2).isfinite().all()


def assert_left(simulation: Simulation) -> None:
    """The stream of the capture is left, and what comes after it waits for it."""
    assert simulation.stream is simulation.default_stream
    assert simulation.default_stream.waited


class OnlyInACapture(nn.Module):
    """Fails where no warm-up could tell."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self.error = error

    def forward(self, images: Tensor) -> Tensor:
        if torch.cuda.is_current_stream_capturing():
            if self.error is not None:
                raise self.error
            images.sum().item()
        return images


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (None, RunError, "cannot be captured: CUDA error: operation not permitted"),
        (ValueError("no such luck"), RunError, "cannot be captured: no such luck; leave graph:N"),
        (torch.OutOfMemoryError("none left"), torch.OutOfMemoryError, "none left"),
    ],
    ids=["not permitted", "raises", "out of memory"],
)
def test_a_capture_that_fails_tells_its_first_error(
    error: Exception | None, kind: type[Exception], text: str, simulation: Simulation
) -> None:
    engine = made(small_net().append(OnlyInACapture(error)), "graph:4")
    with pytest.raises(kind, match=text) as caught:
        engine.run(some_batches(4), [0.1] * 4)
    assert_left(simulation)
    if error is None:  # CUDA ended the capture: the seeds to come get a fresh process
        assert loses_device(caught.value)


@pytest.mark.parametrize("plan", ["graph:4", "step,graph:4"])
def test_losses_that_are_nan_from_the_first_step_are_no_empty_capture(
    plan: str, simulation: Simulation
) -> None:
    model = small_net()
    with torch.no_grad():
        model[0].weight.fill_(torch.nan)  # type: ignore[operator]
    assert made(model, plan).run(some_batches(4), [0.1] * 4).isnan().all()


def test_an_empty_capture_is_told(simulation: Simulation) -> None:
    engine = made(small_net(), "graph:4")
    engine.run(some_batches(4), [0.1] * 4)
    (captured,) = engine.run_group.captured.values()  # type: ignore[attr-defined]
    captured.graph.reset()
    with pytest.raises(RunError, match="captured no step"):
        check_replay(captured)
