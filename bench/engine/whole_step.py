"""Whole training steps as one compiled function: gather, augment, forward, backward, optimizer.

`make_fx` writes down every tensor operation of a step, the backward pass included, and Inductor
compiles the list. Nothing is traced through Python bytecode, so there are no graph breaks, and no
guards to check before each call (80 against 57 us a step of V0 on a 2-core AMD EPYC, batch 32);
shapes and strides are fixed instead, and another batch size is another function.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor, nn, optim
from torch.func import functional_call
from torch.fx import GraphModule

from bench.engine.engine import Drawn, Feed, loss_function
from bench.engine.small_matmul import DECOMPOSITIONS
from bench.engine.update_rules import UpdateRule, prepare_state, slots_of
from bench.spec.recipe import Recipe

# Casts of weights, counts of BatchNorm and the like are a kernel for each tensor, unless combined
CUDA_OPTIONS = {"combo_kernels": True}
AS_STRIDED = torch.ops.aten.as_strided.default
CONVOLVED = {  # convolution -> which argument its images are
    torch.ops.aten.convolution.default: 0,
    torch.ops.aten.convolution_backward.default: 1,
}
Compiled: TypeAlias = Callable[..., Tensor]
Shape: TypeAlias = tuple[int, int]
"""Steps in one call, images in each batch."""


@dataclass(frozen=True)
class State:
    """The tensors that a step changes in place, with the names by which a model knows its own.

    Attributes:
        trainable: name -> parameter that receives gradients, without its autograd history.
        fixed: name -> frozen parameter or buffer (BatchNorm's are updated in the forward pass).
        slots: of the optimizer, a list in the order of `trainable` for each.
        step: () float32, optimizer updates done; stays where the rule counts none.
    """

    trainable: dict[str, Tensor]
    fixed: dict[str, Tensor]
    slots: list[list[Tensor]]
    step: Tensor

    @classmethod
    def of(cls, model: nn.Module, optimizer: optim.Optimizer, rule: UpdateRule) -> Self:
        """The tensors of a model and its optimizer, whose state is made if need be."""
        prepare_state(optimizer, rule)
        named = dict(model.named_parameters())
        trainable = {name: p.detach() for name, p in named.items() if p.requires_grad}
        frozen = {name: p.detach() for name, p in named.items() if not p.requires_grad}
        fixed = frozen | dict(model.named_buffers())
        device = next(iter(trainable.values())).device
        return cls(trainable, fixed, slots_of(optimizer, rule), torch.zeros((), device=device))

    def flat(self) -> list[Tensor]:
        """All tensors in a fixed order."""
        slots = [tensor for slot in self.slots for tensor in slot]
        return [*self.trainable.values(), *self.fixed.values(), *slots, self.step]

    def like(self, tensors: Sequence[Tensor]) -> "State":
        """The same state made of other tensors, given in the order of `flat`."""
        rest = iter(tensors)
        return State(
            {name: next(rest) for name in self.trainable},
            {name: next(rest) for name in self.fixed},
            [[next(rest) for _ in slot] for slot in self.slots],
            next(rest),
        )


@dataclass(frozen=True)
class WholeStep:
    """What a step does, and the functions compiled so far; serves all seeds of a session.

    Attributes:
        model: gives structure and code; the tensors come from a `State`.
        recipe: precision, loss and optimizer.
        rule: the optimizer's update.
        functions: compiled, by shape.
    """

    model: nn.Module
    recipe: Recipe
    rule: UpdateRule
    functions: dict[Shape, Compiled] = field(default_factory=dict)

    def run(
        self,
        state: State,
        feed: Feed,
        indices: Sequence[Tensor],
        drawn: Sequence[Drawn],
        rates: Tensor,
    ) -> Tensor:
        """Consecutive steps in one call, compiled when their shape comes for the first time.

        Args:
            state: changes in place.
            feed: gives the resident data and makes the batches.
            indices: index tensors (B,), one a step, all of one size.
            drawn: what was drawn for each of them.
            rates: (len(indices),) learning rates on the device.

        Returns:
            The losses, (len(indices),) on the device.
        """
        flat_drawn = [tensor for draw in drawn for tensor in draw]
        data = (feed.split.images, feed.split.labels)
        arguments = [*state.flat(), *data, *indices, *flat_drawn, rates]
        shape = len(indices), len(indices[0])
        if shape not in self.functions:
            steps = partial(_run_steps, self, state, feed, len(indices))
            self.functions[shape] = compile_tensors(steps, [*arguments[:-1], _unaligned(rates)])
        return self.functions[shape](*arguments)

    def step(self, state: State, images: Tensor, labels: Tensor, rate: Tensor) -> Tensor:
        """One step on a batch, as it is written down for the compiler; gives the loss ()."""
        with torch.enable_grad():
            leaves = {name: p.detach().requires_grad_() for name, p in state.trainable.items()}
            model = partial(functional_call, self.model, leaves | state.fixed)
            loss = loss_function(model, self.recipe, images.device.type)(images, labels)
            gradients = torch.autograd.grad(loss, list(leaves.values()))
        if self.rule.counts_steps:
            state.step.add_(1)
        parameters = list(state.trainable.values())
        self.rule.apply(parameters, list(gradients), state.slots, rate, state.step)
        return loss.detach()


def _run_steps(whole: WholeStep, state: State, feed: Feed, num_steps: int, *flat: Tensor) -> Tensor:
    """What is traced: the arguments of a compiled function, taken apart, step after step."""
    size = len(state.flat())
    own, (images, labels) = state.like(flat[:size]), flat[size : size + 2]
    indices, drawn = flat[size + 2 :][:num_steps], flat[size + 2 + num_steps : -1]
    each = len(drawn) // num_steps
    losses = []
    for k, index in enumerate(indices):
        batch = feed.gather(images, labels, index, tuple(drawn[k * each : (k + 1) * each]))
        losses.append(whole.step(own, *batch, flat[-1][k]))
    return torch.stack(losses)


def _unaligned(rates: Tensor) -> Tensor:
    """Equal rates, away from a multiple of 16 bytes.

    Compiled code copies an argument, at each call and with a kernel of its own, that does not begin
    at such a multiple where its example did; and a slice of rates begins at any of 4 bytes.
    """
    return torch.cat([rates[:1], rates])[1:]


def compile_tensors(
    function: Callable[..., Tensor], arguments: Sequence[Tensor]
) -> Callable[..., Tensor]:
    """Compiles a function of tensors that may change them in place; call it under `no_grad`.

    Args:
        function: no control flow on values: it is run once, on tensors without data.
        arguments: examples; shapes, strides and devices are fixed by them.
    """
    import torch._inductor
    from torch._guards import TracingContext, tracing
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    is_cpu = arguments[0].device.type == "cpu"
    with torch.no_grad():
        graph = make_fx(
            function, tracing_mode="fake", decomposition_table=DECOMPOSITIONS if is_cpu else {}
        )(*arguments)
        if not is_cpu:
            keep_strides(graph)
        # the caches of compiled code look for a shape environment, and are passed by without one
        mode = FakeTensorMode(shape_env=ShapeEnv(), static_shapes=True)
        with tracing(TracingContext(mode)):
            examples: list[Any] = [mode.from_tensor(tensor) for tensor in arguments]
            options = {"cpp_wrapper": True} if is_cpu else CUDA_OPTIONS
            compiled: Callable[..., Tensor] = torch._inductor.compile(graph, examples, options)
    return compiled


def keep_strides(traced: GraphModule) -> None:
    """Makes the strides of one-channel images explicit where a convolution takes them.

    Inductor keeps no stride of a dimension of size 1. Without it NHWC images of one channel would
    look like NCHW, and so would the output of the first convolution, the largest of all.

    Args:
        traced: changes in place; of a convolution without a single channel nothing does.
    """
    for node in [node for node in traced.graph.nodes if node.target in CONVOLVED]:
        images = node.args[CONVOLVED[node.target]]
        value = images.meta["val"]
        if value.dim() == 4 and value.shape[1] == value.stride(1) == 1:
            told = (images, list(value.shape), list(value.stride()))
            with traced.graph.inserting_before(node):
                node.replace_input_with(images, traced.graph.call_function(AS_STRIDED, told))
    traced.recompile()
