"""What no graph can hold is refused, and a graph that holds the wrong thing would be seen."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.engine.cuda_graph import check_replay
from bench.engine.engine import Drawn, StepEngine
from bench.engine.failures import loses_device
from bench.errors import RunError
from tests.bench.engine.cuda_by_hand import Simulation
from tests.bench.engine.test_graph_steps import RECIPES, made, simulation, trained
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
    with pytest.raises(kind, match=text):
        engine.run(some_batches(4), [0.1] * 4)
    assert_left(simulation)


def test_a_capture_that_cuda_ended_costs_the_process(simulation: Simulation) -> None:
    engine = made(small_net().append(OnlyInACapture(None)), "graph:4")
    with pytest.raises(RunError) as caught:
        engine.run(some_batches(4), [0.1] * 4)
    assert loses_device(caught.value)  # the seeds to come get a fresh one


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


def rate_on_the_host(advance: Any, steps: StepEngine, index: Tensor, drawn: Drawn) -> Any:  # noqa: ANN401
    return advance(steps, index, drawn, 2**-6)


def order_on_the_host(advance: Any, steps: StepEngine, index: Tensor, drawn: Drawn) -> Any:  # noqa: ANN401
    order = torch.randperm(len(index))
    return advance(steps, index[order], drawn, torch.full((), 2**-6, device=index.device))


def state_that_is_replaced(advance: Any, steps: StepEngine, index: Tensor, drawn: Drawn) -> Any:  # noqa: ANN401
    for state in steps.optimizer.state.values():
        state["momentum_buffer"] = state["momentum_buffer"].clone()
    return advance(steps, index, drawn, torch.full((), 2**-6, device=index.device))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (rate_on_the_host, "not close"),  # frozen, with no error from anybody
        (order_on_the_host, "reads a tensor of the host"),
        (state_that_is_replaced, "memory that was freed"),
    ],
    ids=["rate", "order", "state"],
)
def test_a_wrong_capture_is_caught(
    wrong: Any,  # noqa: ANN401
    told: str,
    simulation: Simulation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = RECIPES["momentum"]
    expected, advance = trained("eager", recipe), StepEngine.advance

    def advance_wrongly(self: StepEngine, index: Tensor, drawn: Drawn, rate: Tensor) -> Any:  # noqa: ANN401
        return wrong(advance, self, index, drawn)

    monkeypatch.setattr(StepEngine, "advance", advance_wrongly)
    with pytest.raises((AssertionError, RunError), match=told):
        torch.testing.assert_close(trained("graph:4", recipe), expected)
