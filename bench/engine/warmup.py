"""Warm-up: untimed steps after which everything is put back as it was.

The first steps compile kernels, choose algorithms and fill the allocator. They also change weights,
BatchNorm statistics, optimizer state and random states, all of which are restored, so that a run
with warm-up trains exactly like one without.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn, optim

from bench.engine.engine import Engine
from bench.machine.clock import Clock
from fmnist_models.users.unchanged import can_be_filled, tensors_of, unchanged

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
    them. What model or optimizer make inside the block is taken away again.
    """
    optimizer, augmentation = learner.optimizer, learner.augmentation
    slots = {  # of each parameter: the tensors themselves and copies of their values
        parameter: {name: (own, own.clone()) for name, own in state.items() if own is not None}
        for parameter, state in optimizer.state.items()
    }
    groups = [dict(group) for group in optimizer.param_groups]
    drawn = augmentation.get_state()
    try:
        with unchanged(learner.model):
            yield
    finally:  # a plan that failed half-way must not change how the next one trains
        optimizer.state.clear()
        with torch.no_grad():
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
    """Put values of these names into parameters and buffers: in place, where they have that shape.

    A buffer may have another shape by now, be None or not be there yet; one that has no value here
    stays as it is.

    Raises:
        KeyError: a parameter has no value.
        ValueError: a parameter has another shape.
    """
    for name, _ in model.named_parameters():
        if name not in values:
            raise KeyError(name)
    for name, value in values.items():
        path, _, own_name = name.rpartition(".")
        _fill_tensor(model.get_submodule(path), own_name, value)


@torch.no_grad()
def refill(model: nn.Module, fresh: nn.Module) -> None:
    """Give a model the values of one that was built anew, in place: compiled code holds on to it.

    Its attributes must be those that it was built with (`attributes_unchanged`). Beside tensors,
    numbers and generators among them are drawn anew for a seed.
    """
    for own, other in zip(model.modules(), fresh.modules(), strict=True):
        mine = tensors_of(own)
        for name, value in tensors_of(other).items():
            if name in mine and can_be_filled(mine[name]):
                mine[name].copy_(value)
        for name, value in vars(other).items():
            if isinstance(value, int | float | np.ndarray):
                vars(own)[name] = value
            elif isinstance(value, torch.Generator):
                vars(own)[name].set_state(value.get_state())


def _fill_tensor(module: nn.Module, name: str, value: Tensor) -> None:
    own = getattr(module, name, None)
    if isinstance(own, Tensor) and own.is_leaf and own.shape == value.shape:
        own.copy_(value)
    elif isinstance(own, nn.Parameter):
        raise ValueError(f"{name} is {tuple(own.shape)}, not {tuple(value.shape)}")
    else:
        like = own if isinstance(own, Tensor) else next(module.parameters(), value)
        made = value.detach().to(like.device, copy=True)
        if name in module._buffers:
            module._buffers[name] = made
        else:
            module.register_buffer(name, made)


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
