"""Warm-up: untimed steps after which everything is put back as it was.

The first steps compile kernels, choose algorithms and fill the allocator. They also change weights,
BatchNorm statistics, optimizer state and random states, all of which are restored, so that a run
with warm-up trains exactly like one without.
"""

import copy
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn, optim

from bench.clock import Clock
from bench.engine import Engine

MIN_STEPS = 3
MIN_SECONDS = 0.2  # tiny models settle only after some dozens of steps
MAX_STEPS = 50


@contextmanager
def restored(
    model: nn.Module, optimizer: optim.Optimizer, generators: Sequence[torch.Generator]
) -> Iterator[None]:
    """Puts model, optimizer, gradients and all random states back when the block ends."""
    # not state_dict: it leaves out buffers that are not persistent
    kept = [(tensor, tensor.detach().clone()) for tensor in _tensors(model)]
    optimizer_state = copy.deepcopy(optimizer.state_dict())
    drawn = [generator.get_state() for generator in generators]
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        yield
    with torch.no_grad():
        for tensor, before in kept:
            tensor.copy_(before)
    optimizer.load_state_dict(optimizer_state)
    optimizer.zero_grad()
    for generator, state in zip(generators, drawn, strict=True):
        generator.set_state(state)


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def warm_up(
    engine: Engine, draw_batch: Callable[[], Tensor], learning_rate: float, clock: Clock
) -> float:
    """Runs untimed steps and gives the median seconds of the later ones.

    Args:
        engine: what will be timed.
        draw_batch: gives index tensors of the size that training will use.
        learning_rate: small enough to stay finite; what is learnt is thrown away.
        clock: of the device.
    """
    seconds: list[float] = []
    while len(seconds) < MIN_STEPS or (sum(seconds) < MIN_SECONDS and len(seconds) < MAX_STEPS):
        seconds.append(time_step(engine, draw_batch(), learning_rate, clock))
    return statistics.median(seconds[1:])


def time_step(engine: Engine, batch: Tensor, learning_rate: float, clock: Clock) -> float:
    """Seconds of one step by itself, device synchronised on both sides."""
    clock.synchronize()
    started = clock.now()
    engine.run([batch], [learning_rate])
    clock.synchronize()
    return clock.now() - started
