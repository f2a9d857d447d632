"""The simulated CUDA graph catches what a real one would not do, or do wrong."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.bench.engine.cuda_by_hand import Simulation, simulate_cuda
from tests.bench.engine.graphs_by_hand import INVALIDATED, NOT_PERMITTED, WAITS

DEVICE = torch.device("cpu")  # stands for the GPU; without it, a tensor is made on the host


@pytest.fixture
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


def test_a_number_of_the_host_is_frozen(simulation: Simulation) -> None:
    rate, on_device, value = [0.5], torch.tensor(0.5), torch.ones(1)
    graph, result = captured(lambda: torch.stack([value * rate[0], value * on_device]))
    rate[0] = 0.25
    on_device.fill_(0.25)
    graph.replay()
    assert result.tolist() == [[0.5], [0.25]]


def test_a_tensor_that_took_the_place_of_another_is_not_followed(simulation: Simulation) -> None:
    state = {"buffer": torch.ones(2)}
    graph, result = captured(lambda: state["buffer"] * 2)
    kept, state["buffer"] = state["buffer"], torch.full((2,), 5.0)
    graph.replay()
    assert result.tolist() == [2.0, 2.0]
    del kept
    with pytest.raises(AssertionError, match="freed after the capture"):
        graph.replay()


def test_draws_inside_differ_from_replay_to_replay_but_not_an_order(simulation: Simulation) -> None:
    order = torch.randperm(8)
    graph, result = captured(lambda: torch.stack([torch.rand(8, device=DEVICE), order.float()]))
    torch.manual_seed(0)
    graph.replay()
    first = result.clone()
    graph.replay()
    assert not torch.equal(first[0], result[0])
    assert torch.equal(first[1], result[1])
    torch.manual_seed(0)
    assert torch.equal(first[0], torch.rand(8))


def test_a_capture_itself_draws_nothing(simulation: Simulation) -> None:
    before = torch.get_rng_state()
    captured(lambda: torch.rand(3, device=DEVICE))
    assert torch.equal(torch.get_rng_state(), before)


def reads_a_value() -> Tensor:
    return torch.ones(1, device=DEVICE) * float(torch.zeros(1, device=DEVICE))


def picks_by_a_mask() -> Tensor:
    values = torch.arange(4, device=DEVICE)
    return values[values > 1]


def finds_what_is_not_zero() -> Tensor:
    return torch.nonzero(torch.ones(3, device=DEVICE))


def branches_on_a_value() -> Tensor:
    value = torch.ones(2, device=DEVICE)
    return value if value.sum() > 0 else -value


def steps_by_a_tensor_as_a_number() -> Tensor:
    rate: Any = torch.ones((), device=DEVICE) * 2
    result: Tensor
    (result,) = torch._foreach_add([torch.ones(2, device=DEVICE)], [torch.ones(2)], alpha=-rate)
    return result


def copies_from_the_host() -> Tensor:
    return torch.zeros(2, device=DEVICE).copy_(torch.tensor([1.0, 2.0]))


def makes_a_tensor_of_numbers() -> Tensor:
    return torch.tensor([1.0, 2.0], device=DEVICE)


def fills_in_a_number_of_the_host() -> Tensor:
    return torch.zeros((), device=DEVICE).copy_(torch.tensor(1.0))


def draws_from_a_generator_of_its_own() -> Tensor:
    return torch.rand(2, device=DEVICE, generator=torch.Generator().manual_seed(0))


def seeds_anew() -> Tensor:
    torch.manual_seed(0)
    return torch.rand(2, device=DEVICE)


FORBIDDEN = [
    reads_a_value,
    picks_by_a_mask,
    finds_what_is_not_zero,
    branches_on_a_value,
    steps_by_a_tensor_as_a_number,
    copies_from_the_host,
    makes_a_tensor_of_numbers,
    fills_in_a_number_of_the_host,
    draws_from_a_generator_of_its_own,
    seeds_anew,
]


@pytest.mark.parametrize("call", FORBIDDEN, ids=lambda call: call.__name__)
def test_what_cuda_forbids_is_forbidden(call: Callable[[], Tensor], simulation: Simulation) -> None:
    call()
    with pytest.raises(RuntimeError, match=INVALIDATED) as caught:
        captured(call)
    assert NOT_PERMITTED in str(caught.value.__context__)
    assert simulation.is_poisoned
    assert simulation.stream is not simulation.default_stream  # torch.cuda.graph leaves it there


def test_a_number_of_the_host_beside_tensors_is_allowed(simulation: Simulation) -> None:
    graph, result = captured(lambda: torch.ones(2, device=DEVICE) * (torch.tensor(1.5) * 2))
    graph.replay()
    assert result.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("call", FORBIDDEN[:5], ids=lambda call: call.__name__)
def test_waiting_may_be_refused_outside_a_capture(
    call: Callable[[], Tensor], simulation: Simulation
) -> None:
    torch.cuda.set_sync_debug_mode("error")
    with pytest.raises(RuntimeError, match=WAITS):
        call()
    torch.cuda.set_sync_debug_mode("default")
    call()


def test_a_registered_generator_moves_on(simulation: Simulation) -> None:
    generator = torch.Generator().manual_seed(0)
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    graph.register_generator_state(generator)
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.graph(graph, stream=stream):
        drawn = torch.rand(2, device=DEVICE, generator=generator)
    expected = torch.rand(2, generator=torch.Generator().manual_seed(0))
    graph.replay()
    assert torch.equal(drawn, expected)
    graph.replay()
    assert not torch.equal(drawn, expected)


def test_gradients_and_running_statistics_are_undone_and_replayed(simulation: Simulation) -> None:
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


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.RMSprop])
def test_an_optimizer_that_may_not_be_captured_says_so(
    kind: Callable[..., torch.optim.Optimizer], simulation: Simulation
) -> None:
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    optimizer = kind([weight])
    with pytest.raises(RuntimeError, match="capturable is False"):
        captured(lambda: optimizer.step() or weight.detach())
