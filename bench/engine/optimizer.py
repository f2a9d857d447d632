"""The optimizer of a recipe: torch's own, and its update as a function of tensors alone.

Steps that are compiled as a whole need the second, as torch's own read the learning rate and the
step count on the host, which a traced function would freeze. The mathematics and the state are
those of `torch.optim`: a rule reads and writes the tensors of the optimizer itself, so that a
training may go on with another engine, and a checkpoint needs to know only the optimizer.
`_foreach_` operations become one kernel for many parameters on CUDA.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn, optim

from bench.engine.muon import MuonAndAdamW, split_parameters
from bench.spec.recipe import Recipe

Tensors: TypeAlias = list[Tensor]
Slots: TypeAlias = Sequence[Tensors]
Apply: TypeAlias = Callable[[Tensors, Tensors, Slots, Tensor, Tensor], None]
"""Changes parameters and slots in place.

Takes parameters, gradients, a list of tensors for each slot, the learning rate () and the number
of this step (), from 1.
"""
# torch's defaults, which the recipes keep
BETAS, EPSILON = (0.9, 0.999), 1e-8
ALPHA = 0.99  # of RMSprop


def make_optimizer(recipe: Recipe, model: nn.Module) -> optim.Optimizer:
    """Make PyTorch's own optimizer by the recipe, over the trainable parameters.

    The fused kernels update all parameters in one call, on a CPU as on CUDA. RMSprop has none: its
    `foreach` form takes 230 instead of 330 us on ResNet-8 (one thread of a 2-core AMD EPYC), and
    is the one that reads no learning rate on the host while a CUDA graph is captured.
    """
    assert recipe.learning_rate is not None, "RunSpec.resolved_for fills the learning rate"
    parameters = [p for p in model.parameters() if p.requires_grad]
    is_fused = not any(p.is_complex() for p in parameters)  # there are no kernels for these
    rate, decay, momentum = recipe.learning_rate, recipe.weight_decay, recipe.momentum
    if recipe.optimizer == "sgd":
        return optim.SGD(
            parameters,
            lr=rate,
            momentum=momentum,
            nesterov=recipe.nesterov,
            weight_decay=decay,
            fused=is_fused,
        )
    if recipe.optimizer == "rmsprop":
        return optim.RMSprop(
            parameters, lr=rate, momentum=momentum, weight_decay=decay, foreach=True
        )
    if recipe.optimizer == "muon":
        return MuonAndAdamW(*split_parameters(model), learning_rate=rate, weight_decay=decay)
    kind: type[optim.Adam] = {"adam": optim.Adam, "adamw": optim.AdamW}[recipe.optimizer]
    return kind(parameters, lr=rate, weight_decay=decay, fused=is_fused)


class UpdateRule(NamedTuple):
    """One optimizer's update."""

    slots: tuple[str, ...]  # state tensors in `optimizer.state[parameter]`, each like the parameter
    counts_steps: bool  # whether the state also holds the number of steps done, `step`
    apply: Apply


def update_rule(recipe: Recipe) -> UpdateRule:
    """Return the rule of a recipe's optimizer; `muon` has none (`spec/plan.py`)."""
    slots, apply = {
        "sgd": ((), _sgd),
        "rmsprop": (("square_avg",), _rmsprop),
        "adam": (("exp_avg", "exp_avg_sq"), _adam),
        "adamw": (("exp_avg", "exp_avg_sq"), _adam),
    }[recipe.optimizer]
    if recipe.optimizer in {"sgd", "rmsprop"} and recipe.momentum:
        slots = (*slots, "momentum_buffer")
    return UpdateRule(slots, recipe.optimizer != "sgd", partial(apply, recipe))


def prepare_state(optimizer: optim.Optimizer, rule: UpdateRule) -> tuple[list[Tensors], Tensors]:
    """Make the optimizer's state, which it would make at its first step, from the same zeros.

    A compiled step takes the state as arguments and a CUDA graph holds its addresses, so it must be
    there beforehand; what is there already stays.

    Returns:
        The tensors of each slot, and every parameter's own count of steps, () float32, in the order
        of the parameters; no counts where the rule counts none.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for parameter in parameters:
        state = optimizer.state[parameter]
        for slot in rule.slots:
            if state.get(slot) is None:
                state[slot] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        if rule.counts_steps and "step" not in state:
            state["step"] = torch.zeros((), device=parameter.device)
    states = [optimizer.state[parameter] for parameter in parameters]
    slots = [[state[slot] for state in states] for slot in rule.slots]
    return slots, [state["step"] for state in states] if rule.counts_steps else []


def _sgd(
    recipe: Recipe, parameters: Tensors, gradients: Tensors, slots: Slots, rate: Tensor, _: Tensor
) -> None:
    """As `torch.optim.SGD` without dampening; a buffer of zeros stands for its first step."""
    updates = gradients
    if recipe.weight_decay:
        updates = list(torch._foreach_add(updates, parameters, alpha=recipe.weight_decay))
    if recipe.momentum:
        (buffers,) = slots
        torch._foreach_mul_(buffers, recipe.momentum)
        torch._foreach_add_(buffers, updates)
        if recipe.nesterov:
            updates = list(torch._foreach_add(updates, buffers, alpha=recipe.momentum))
        else:
            updates = buffers
    torch._foreach_sub_(parameters, torch._foreach_mul(updates, rate))


def _rmsprop(
    recipe: Recipe, parameters: Tensors, gradients: Tensors, slots: Slots, rate: Tensor, _: Tensor
) -> None:
    """As `torch.optim.RMSprop`, which is not centered by default, and counts steps in vain."""
    squares, *buffers = slots
    if recipe.weight_decay:
        gradients = list(torch._foreach_add(gradients, parameters, alpha=recipe.weight_decay))
    torch._foreach_mul_(squares, ALPHA)
    torch._foreach_addcmul_(squares, gradients, gradients, value=1 - ALPHA)
    roots = torch._foreach_add(torch._foreach_sqrt(squares), EPSILON)
    updates = list(torch._foreach_div(gradients, roots))
    if recipe.momentum:
        (updates_before,) = buffers
        torch._foreach_mul_(updates_before, recipe.momentum)
        torch._foreach_add_(updates_before, updates)
        updates = updates_before
    torch._foreach_sub_(parameters, torch._foreach_mul(updates, rate))


def _adam(
    recipe: Recipe,
    parameters: Tensors,
    gradients: Tensors,
    slots: Slots,
    rate: Tensor,
    step: Tensor,
) -> None:
    """As `torch.optim.Adam` and, where the decay is decoupled, `torch.optim.AdamW`."""
    first, second = slots
    weight_decay = recipe.weight_decay
    if weight_decay and recipe.optimizer == "adamw":
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
