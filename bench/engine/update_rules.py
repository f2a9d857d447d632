"""Optimizer updates as functions of tensors alone, for steps that are compiled as a whole.

The mathematics and the state are those of `torch.optim`: a rule reads and writes the tensors of the
optimizer itself, so that a training may go on with another engine, and a checkpoint needs to know
only the optimizer. They stand here because torch's own steps read the learning rate and the step
count on the host, which a traced function would freeze. `_foreach_` operations become one kernel
for many parameters on CUDA.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, optim

from bench.spec.recipe import Recipe

Tensors: TypeAlias = list[Tensor]
Apply: TypeAlias = Callable[[Tensors, Tensors, Sequence[Tensors], Tensor, Tensor], None]
# torch's defaults, which the recipes keep
BETAS, EPSILON = (0.9, 0.999), 1e-8
ALPHA = 0.99  # of RMSprop


@dataclass(frozen=True)
class UpdateRule:
    """One optimizer's update.

    Attributes:
        slots: names of its state tensors in `optimizer.state[parameter]`, each like the parameter.
        counts_steps: whether the state also holds the number of steps done, `step`.
        apply: changes parameters and slots in place; takes parameters, gradients, a list of
            tensors for each slot, the learning rate () and the number of this step (), from 1.
    """

    slots: tuple[str, ...]
    counts_steps: bool
    apply: Apply


def update_rule(recipe: Recipe) -> UpdateRule:
    """The rule of a recipe's optimizer; `muon` has none (`spec/plan.py`)."""
    decay, momentum = recipe.weight_decay, recipe.momentum
    of_momentum = ("momentum_buffer",) if momentum else ()
    if recipe.optimizer == "sgd":
        sgd = partial(_sgd, momentum=momentum, nesterov=recipe.nesterov, weight_decay=decay)
        return UpdateRule(of_momentum, False, sgd)
    if recipe.optimizer == "rmsprop":
        rmsprop = partial(_rmsprop, momentum=momentum, weight_decay=decay)
        return UpdateRule(("square_avg", *of_momentum), True, rmsprop)
    decouples = {"adam": False, "adamw": True}[recipe.optimizer]
    adam = partial(_adam, weight_decay=decay, decouples=decouples)
    return UpdateRule(("exp_avg", "exp_avg_sq"), True, adam)


def prepare_state(optimizer: optim.Optimizer, rule: UpdateRule) -> None:
    """Makes the optimizer's state, which it would make at its first step, from the same zeros.

    A compiled step takes the state as arguments and a CUDA graph holds its addresses, so it must be
    there beforehand; what is there already stays.
    """
    for parameter in _parameters(optimizer):
        state = optimizer.state[parameter]
        for slot in rule.slots:
            if state.get(slot) is None:
                state[slot] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        if rule.counts_steps and "step" not in state:
            state["step"] = torch.zeros((), device=parameter.device)


def slots_of(optimizer: optim.Optimizer, rule: UpdateRule) -> list[Tensors]:
    """The state tensors of each slot, in the order of the parameters."""
    parameters = _parameters(optimizer)
    return [[optimizer.state[parameter][slot] for parameter in parameters] for slot in rule.slots]


def step_counts(optimizer: optim.Optimizer, rule: UpdateRule) -> Tensors:
    """Every parameter's own count of steps, () float32; empty where the rule counts none."""
    if not rule.counts_steps:
        return []
    return [optimizer.state[parameter]["step"] for parameter in _parameters(optimizer)]


def _parameters(optimizer: optim.Optimizer) -> Tensors:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _sgd(
    parameters: Tensors,
    gradients: Tensors,
    slots: Sequence[Tensors],
    rate: Tensor,
    step: Tensor,
    *,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    """As `torch.optim.SGD` without dampening; a buffer of zeros stands for its first step."""
    del step
    updates = gradients
    if weight_decay:
        updates = list(torch._foreach_add(updates, parameters, alpha=weight_decay))
    if momentum:
        (buffers,) = slots
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, updates)
        ahead = torch._foreach_add(updates, buffers, alpha=momentum) if nesterov else buffers
        updates = list(ahead)
    torch._foreach_sub_(parameters, torch._foreach_mul(updates, rate))


def _rmsprop(
    parameters: Tensors,
    gradients: Tensors,
    slots: Sequence[Tensors],
    rate: Tensor,
    step: Tensor,
    *,
    momentum: float,
    weight_decay: float,
) -> None:
    """As `torch.optim.RMSprop`, which is not centered by default, and counts steps in vain."""
    del step
    squares, *buffers = slots
    if weight_decay:
        gradients = list(torch._foreach_add(gradients, parameters, alpha=weight_decay))
    torch._foreach_mul_(squares, ALPHA)
    torch._foreach_addcmul_(squares, gradients, gradients, value=1 - ALPHA)
    roots = torch._foreach_add(torch._foreach_sqrt(squares), EPSILON)
    updates = list(torch._foreach_div(gradients, roots))
    if momentum:
        (updates_before,) = buffers
        torch._foreach_mul_(updates_before, momentum)
        torch._foreach_add_(updates_before, updates)
        updates = updates_before
    torch._foreach_sub_(parameters, torch._foreach_mul(updates, rate))


def _adam(
    parameters: Tensors,
    gradients: Tensors,
    slots: Sequence[Tensors],
    rate: Tensor,
    step: Tensor,
    *,
    weight_decay: float,
    decouples: bool,
) -> None:
    """As `torch.optim.Adam` and, where the decay is decoupled, `torch.optim.AdamW`."""
    first, second = slots
    if weight_decay and decouples:
        torch._foreach_mul_(parameters, 1 - rate * weight_decay)
    elif weight_decay:
        gradients = list(torch._foreach_add(gradients, parameters, alpha=weight_decay))
    torch._foreach_lerp_(first, gradients, 1 - BETAS[0])
    torch._foreach_mul_(second, BETAS[1])
    torch._foreach_addcmul_(second, gradients, gradients, value=1 - BETAS[1])
    corrections = [(1 - beta ** step.double()).to(rate.dtype) for beta in BETAS]  # 0.999 needs it
    roots = torch._foreach_div(torch._foreach_sqrt(second), corrections[1].sqrt())
    updates = torch._foreach_div(first, torch._foreach_add(roots, EPSILON))
    torch._foreach_sub_(parameters, torch._foreach_mul(updates, rate / corrections[0]))
