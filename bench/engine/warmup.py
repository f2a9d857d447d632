"""Warm-up: untimed steps after which everything is put back as it was.

The first steps compile kernels, choose algorithms and fill the allocator. They also change weights,
BatchNorm statistics, optimizer state and random states, all of which are restored, so that a run
with warm-up trains exactly like one without.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn, optim

from bench.engine.engine import Engine
from bench.machine.clock import Clock

Slots: TypeAlias = dict[Tensor, dict[str, tuple[Tensor, Tensor]]]
MIN_STEPS = 3
MIN_SECONDS = 0.2  # tiny models settle only after some dozens of steps
MAX_STEPS = 50


@contextmanager
def restored(
    model: nn.Module, optimizer: optim.Optimizer, generators: Sequence[torch.Generator]
) -> Iterator[None]:
    """Puts model, optimizer, gradients and all random states back when the block ends.

    Tensors that were there before are put back in place: compiled steps and CUDA graphs hold on to
    them. State that the optimizer makes inside the block is taken away again.
    """
    kept = {name: tensor.detach().clone() for name, tensor in named_tensors(model).items()}
    slots = _copied_slots(optimizer)
    groups = [dict(group) for group in optimizer.param_groups]
    drawn = [generator.get_state() for generator in generators]
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:  # a plan that failed half-way must not change how the next one trains
        with torch.no_grad():
            # by name: a change of memory format puts other tensors in the place of buffers
            for name, tensor in named_tensors(model).items():
                tensor.copy_(kept[name])
        _put_back(optimizer, slots, groups)
        optimizer.zero_grad()
        for generator, state in zip(generators, drawn, strict=True):
            generator.set_state(state)


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; a state dict leaves out buffers that are not persistent."""
    return dict([*model.named_parameters(), *model.named_buffers()])


def _copied_slots(optimizer: optim.Optimizer) -> Slots:
    """Each parameter's state: name -> the tensor itself and a copy of its values."""
    return {
        parameter: {
            name: (value, value.clone()) for name, value in state.items() if value is not None
        }
        for parameter, state in optimizer.state.items()
    }


def _put_back(optimizer: optim.Optimizer, slots: Slots, groups: list[dict[str, Any]]) -> None:
    optimizer.state.clear()
    with torch.no_grad():
        for parameter, state in slots.items():
            for name, (tensor, before) in state.items():
                optimizer.state[parameter][name] = tensor.copy_(before)
    for group, own in zip(optimizer.param_groups, groups, strict=True):
        group.update(own)


def warm_up(
    engine: Engine, draw_batch: Callable[[], Tensor], learning_rate: float, clock: Clock
) -> float:
    """Runs untimed groups of steps and gives the median seconds of a step of the later ones.

    Args:
        engine: what will be timed.
        draw_batch: gives index tensors of the size that training will use.
        learning_rate: small enough to stay finite; what is learnt is thrown away.
        clock: of the device.
    """
    seconds: list[float] = []
    while len(seconds) < MIN_STEPS or (sum(seconds) < MIN_SECONDS and len(seconds) < MAX_STEPS):
        group = [draw_batch() for _ in range(engine.group_steps)]
        seconds.append(time_group(engine, group, learning_rate, clock))
    return statistics.median(seconds[1:]) / engine.group_steps


def time_group(
    engine: Engine, batches: Sequence[Tensor], learning_rate: float, clock: Clock
) -> float:
    """Seconds of some steps handed over together, device synchronised on both sides."""
    clock.synchronize()
    started = clock.now()
    engine.run(batches, [learning_rate] * len(batches))
    clock.synchronize()
    return clock.now() - started
