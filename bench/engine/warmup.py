"""Warm-up: untimed steps after which everything is put back as it was.

The first steps compile kernels, choose algorithms and fill the allocator. They also change weights,
BatchNorm statistics, optimizer state and random states, all of which are restored, so that a run
with warm-up trains exactly like one without.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim

from bench.engine.engine import Engine
from bench.machine.clock import Clock

MIN_STEPS = 3
MIN_SECONDS = 0.2  # tiny models settle only after some dozens of steps
MAX_STEPS = 50


@dataclass(frozen=True)
class Learner:
    """All that training steps change, beside torch's own random states."""

    model: nn.Module
    optimizer: optim.Optimizer
    augmentation: torch.Generator  # of its draws


@contextmanager
def restored(learner: Learner) -> Iterator[None]:
    """Restore model, optimizer, gradients and all random states when the block ends.

    Tensors that were there before are put back in place: compiled steps and CUDA graphs hold on to
    them. State that the optimizer makes inside the block is taken away again.
    """
    model, optimizer, augmentation = learner.model, learner.optimizer, learner.augmentation
    kept = {name: tensor.detach().clone() for name, tensor in named_tensors(model).items()}
    slots = {  # of each parameter: the tensors themselves and copies of their values
        parameter: {name: (own, own.clone()) for name, own in state.items() if own is not None}
        for parameter, state in optimizer.state.items()
    }
    groups = [dict(group) for group in optimizer.param_groups]
    drawn = augmentation.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:  # a plan that failed half-way must not change how the next one trains
        optimizer.state.clear()
        with torch.no_grad():
            # by name: a change of memory format puts other tensors in the place of buffers
            fill_tensors(model, kept)
            for parameter, state in slots.items():
                for name, (own, before) in state.items():
                    optimizer.state[parameter][name] = own.copy_(before)
        for group, settings in zip(optimizer.param_groups, groups, strict=True):
            group.update(settings)
        optimizer.zero_grad()
        augmentation.set_state(drawn)


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return parameters and all buffers; a state dict leaves out those not persistent."""
    return dict([*model.named_parameters(), *model.named_buffers()])


@torch.no_grad()
def fill_tensors(model: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Copy values of these names into parameters and buffers."""
    for name, tensor in named_tensors(model).items():
        tensor.copy_(values[name])


def warm_up(
    engine: Engine, draw_batch: Callable[[], Tensor], learning_rate: float, clock: Clock
) -> float:
    """Run untimed groups of steps; return the median seconds of a step of all but the first.

    The batches must have the size that training will use, and the learning rate be small enough to
    stay finite; what is learnt is thrown away.
    """
    seconds: list[float] = []
    while len(seconds) < MIN_STEPS or (sum(seconds) < MIN_SECONDS and len(seconds) < MAX_STEPS):
        group = [draw_batch() for _ in range(engine.group_steps)]
        seconds.append(time_group(engine, group, learning_rate, clock))
    return statistics.median(seconds[1:]) / engine.group_steps


def time_group(
    engine: Engine, batches: Sequence[Tensor], learning_rate: float, clock: Clock
) -> float:
    """Time some steps handed over together, in seconds, device synchronised on both sides."""
    clock.synchronize()
    started = clock.now()
    engine.run(batches, [learning_rate] * len(batches))
    clock.synchronize()
    return clock.now() - started
