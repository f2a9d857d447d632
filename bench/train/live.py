"""The state of a training between two legs, and going on from it bit for bit.

Everything that later steps depend on is in it: weights, optimizer, position in the data and in all
streams of random numbers, budget spent, what the control has decided; and what the record will tell
of the steps done. On a CPU in fp32, without a compiler, a training that went on from it equals one
that was never stopped. (The scale of fp16's gradient scaler is not in it: it starts again.)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, optim

from bench.engine.warmup import Learner, fill_tensors, named_tensors
from bench.train.training import CurvePoint, Training


@dataclass(frozen=True)
class Live:
    """A training and all that its steps change."""

    training: Training
    learner: Learner


def state_of(live: Live) -> dict[str, Any]:
    """Return all but the weights, which a saved model holds, as CPU tensors and plain numbers."""
    training, optimizer = live.training, live.learner.optimizer
    saved = set(live.learner.model.state_dict())
    return {
        "buffers": {  # those that a state dict leaves out
            name: _kept(tensor)
            for name, tensor in named_tensors(live.learner.model).items()
            if name not in saved
        },
        "optimizer": [
            {key: _kept(x) if isinstance(x, Tensor) else x for key, x in slot.items()}
            for slot in map(optimizer.state.__getitem__, _parameters(optimizer))
        ],
        "random": _random_state(live),
        "stream": training.stream.state(),
        "pacer": {
            "spent": training.pacer.spent,
            "ahead": training.pacer.ahead,
            "per_step": training.pacer.per_step,
        },
        "meters": {
            "seconds": training.meters.seconds,
            "joules": training.meters.joules,
            "peak": training.meters.peak_bytes()[0],
        },
        "curve_fractions": list(training.curve_fractions),
        "step_s": training.step_s,
        "control": training.control and training.control.state(),
        "history": _history(training),
    }


def restore(live: Live, weights: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Put a fresh training where another one of the same configuration was.

    Tensors are filled in place: compiled steps and CUDA graphs hold on to them. `weights` are the
    state dict of the other's model, `state` is what `state_of` gave for it.
    """
    training, optimizer = live.training, live.learner.optimizer
    fill_tensors(live.learner.model, {**weights, **state["buffers"]})
    with torch.no_grad():
        for parameter, kept in zip(_parameters(optimizer), state["optimizer"], strict=True):
            _fill(optimizer.state[parameter], kept, parameter)
    training.stream.load_state(state["stream"])
    pacer, meters = state["pacer"], state["meters"]
    training.pacer.spent, training.pacer.ahead = _amount(pacer["spent"]), int(pacer["ahead"])
    training.pacer.per_step = _amount(pacer["per_step"])
    training.meters.seconds = _amount(meters["seconds"])
    training.meters.joules = _amount(meters["joules"])
    if meters["peak"] is not None:
        training.meters.other_peaks.append(_amount(meters["peak"]))
    training.curve_fractions = state["curve_fractions"]  # another pace would afford others
    training.step_s = _amount(state["step_s"])
    if training.control and state["control"]:
        training.control.load_state(state["control"])
    _fill_history(training, state["history"])
    _restore_random(live, state["random"])


def _amount(value: Any) -> float:  # noqa: ANN401 - whatever a file holds
    """Check a number that a budget is counted by: with NaN it would never be spent."""
    if type(value) not in {int, float} or not 0 <= value < math.inf:
        raise ValueError(f"{value!r} is no amount")
    return value  # type: ignore[no-any-return]


def _kept(tensor: Tensor) -> Tensor:
    """Copy to the CPU; the next steps write into the tensor itself."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def _parameters(optimizer: optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _fill(slot: dict[str, Any], kept: Mapping[str, Any], parameter: Tensor) -> None:
    """Fill an optimizer's state of one parameter, and make what is not there yet."""
    for key, value in kept.items():
        if isinstance(slot.get(key), Tensor):
            slot[key].copy_(value)
        elif isinstance(value, Tensor):
            slot[key] = _made_for(parameter, value)
        else:
            slot[key] = value


def _made_for(parameter: Tensor, value: Tensor) -> Tensor:
    """Copy to the device of the parameter and, where it has its shape, with its strides.

    Fused kernels go over parameter and state in the order of memory, and look at no strides.
    """
    if value.shape == parameter.shape:
        return torch.empty_like(parameter, memory_format=torch.preserve_format).copy_(value)
    return value.to(parameter.device, copy=True)


def _random_state(live: Live) -> dict[str, Any]:
    device = live.training.stream.device
    state = {"cpu": torch.get_rng_state(), "augmentation": live.learner.augmentation.get_state()}
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def _restore_random(live: Live, state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    live.learner.augmentation.set_state(state["augmentation"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], live.training.stream.device)


def _history(training: Training) -> dict[str, Any]:
    trace = training.trace
    return {
        "losses": torch.tensor(trace.losses, dtype=torch.float64),
        "learning_rates": torch.tensor(trace.learning_rates, dtype=torch.float64),
        "chunk_steps": torch.tensor(trace.chunk_steps),
        "chunk_seconds": torch.tensor(trace.chunk_seconds, dtype=torch.float64),
        "images_seen": trace.images_seen,
        "seconds_in_steps": trace.seconds_in_steps,
        "curve": [list(point) for point in trace.curve],
    }


def _fill_history(training: Training, history: Mapping[str, Any]) -> None:
    trace = training.trace
    trace.losses = history["losses"].tolist()
    trace.learning_rates = history["learning_rates"].tolist()
    trace.chunk_steps = [int(steps) for steps in history["chunk_steps"].tolist()]
    trace.chunk_seconds = history["chunk_seconds"].tolist()
    trace.images_seen = history["images_seen"]
    trace.seconds_in_steps = history["seconds_in_steps"]
    trace.curve = [CurvePoint(*point) for point in history["curve"]]
