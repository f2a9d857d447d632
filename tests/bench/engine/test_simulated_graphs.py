"""The simulated CUDA graph catches what a real one would not do, or do wrong."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.bench.engine.cuda_by_hand import Simulation, simulate_cuda
from tests.bench.engine.graphs_by_hand import INVALIDATED, NOT_PERMITTED, WAITS

DEVICE = torch.device("cpu")  # stands for the GPU; without it, a tensor is made on the host


@pytest.fixture(autouse=True)
def simulation(monkeypatch: pytest.MonkeyPatch) -> Simulation:
    return simulate_cuda(monkeypatch)


def captured(call: Callable[[], Tensor]) -> tuple[torch.cuda.CUDAGraph, Tensor]:
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.graph(graph, stream=stream):
        result = call()
    return graph, result


def test_a_capture_runs_nothing_and_a_replay_everything(simulation: Simulation) -> None:
    total = torch.ones(3)
    graph, result = captured(lambda: total.add_(1).mul(2))
    assert total.tolist() == [1.0] * 3
    assert result.isnan().all()
    for expected in (4.0, 6.0):
        graph.replay()
        assert result.tolist() == [expected] * 3
    assert total.tolist() == [3.0] * 3
    assert simulation.captures[0][0] == 2


def test_a_number_of_the_host_is_frozen() -> None:
    rate, on_device, value = [0.5], torch.tensor(0.5), torch.ones(1)
    graph, result = captured(
        lambda: torch.stack([value * rate[0], value * on_device, value * torch.tensor(1.5)])
    )
    rate[0] = 0.25
    on_device.fill_(0.25)
    graph.replay()
    assert result.tolist() == [[0.5], [0.25], [1.5]]


def test_a_tensor_that_took_the_place_of_another_is_not_followed() -> None:
    state = {"buffer": torch.ones(2)}
    graph, result = captured(lambda: state["buffer"] * 2)
    kept, state["buffer"] = state["buffer"], torch.full((2,), 5.0)
    graph.replay()
    assert result.tolist() == [2.0, 2.0]
    del kept
    with pytest.raises(AssertionError, match="freed after the capture"):
        graph.replay()


def test_draws_inside_differ_from_replay_to_replay_but_not_an_order() -> None:
    order, before = torch.randperm(8), torch.get_rng_state()
    graph, result = captured(lambda: torch.stack([torch.rand(8, device=DEVICE), order.float()]))
    assert torch.equal(torch.get_rng_state(), before)  # the capture itself draws nothing
    torch.manual_seed(0)
    graph.replay()
    first = result.clone()
    graph.replay()
    assert not torch.equal(first[0], result[0])
    assert torch.equal(first[1], result[1])
    torch.manual_seed(0)
    assert torch.equal(first[0], torch.rand(8))


def branches_on_a_value() -> Tensor:
    value = torch.ones(2, device=DEVICE)
    return value if value.sum() > 0 else -value


def steps_by_a_tensor_as_a_number() -> Tensor:
    rate: Any = torch.ones((), device=DEVICE) * 2
    return torch._foreach_add([torch.ones(2, device=DEVICE)], [torch.ones(2)], alpha=-rate)[0]


def seeds_anew() -> Tensor:
    torch.manual_seed(0)
    return torch.rand(2, device=DEVICE)


WAITING: dict[str, Callable[[], Tensor]] = {
    "a value is read": lambda: torch.ones(1, device=DEVICE) * float(torch.zeros(1, device=DEVICE)),
    "a mask picks": lambda: torch.ones(4, device=DEVICE)[torch.ones(4, device=DEVICE) > 1],
    "what is not zero is found": lambda: torch.nonzero(torch.ones(3, device=DEVICE)),
    "a value decides": branches_on_a_value,
    "a tensor is taken for a number": steps_by_a_tensor_as_a_number,
}
FORBIDDEN = WAITING | {
    "a copy from the host": lambda: torch.zeros(2, device=DEVICE).copy_(torch.tensor([1.0, 2.0])),
    "a tensor of numbers": lambda: torch.tensor([1.0, 2.0], device=DEVICE),
    "a number of the host fills in": lambda: torch.zeros((), device=DEVICE).copy_(
        torch.tensor(1.0)
    ),
    "a generator of its own": lambda: torch.rand(2, device=DEVICE, generator=torch.Generator()),
    "seeds": seeds_anew,
}


@pytest.mark.parametrize("call", FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_cuda_forbids_is_forbidden(call: Callable[[], Tensor], simulation: Simulation) -> None:
    call()
    with pytest.raises(RuntimeError, match=INVALIDATED) as caught:
        captured(call)
    assert NOT_PERMITTED in str(caught.value.__context__)
    assert simulation.is_poisoned
    assert simulation.stream is not simulation.default_stream  # torch.cuda.graph leaves it there


@pytest.mark.parametrize("call", WAITING.values(), ids=WAITING)
def test_waiting_may_be_refused_outside_a_capture(call: Callable[[], Tensor]) -> None:
    torch.cuda.set_sync_debug_mode("error")
    with pytest.raises(RuntimeError, match=WAITS):
        call()
    torch.cuda.set_sync_debug_mode("default")
    call()


def test_gradients_and_running_statistics_are_undone_and_replayed() -> None:
    norm, images = nn.BatchNorm2d(2), torch.randn(4, 2, 3, 3)

    def step() -> Tensor:
        norm.zero_grad()
        loss: Tensor = norm(images).square().mul(images).sum()
        loss.backward()
        return loss.detach()

    graph, _ = captured(step)
    assert norm.num_batches_tracked == 0
    assert torch.equal(norm.running_mean, torch.zeros(2))  # type: ignore[arg-type]
    graph.replay()
    other = nn.BatchNorm2d(2)
    other(images).square().mul(images).sum().backward()
    torch.testing.assert_close(norm.state_dict(), other.state_dict())
    torch.testing.assert_close(norm.weight.grad, other.weight.grad)
