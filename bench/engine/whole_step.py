"""Whole training steps as one compiled function: gather, augment, forward, backward, optimizer.

`make_fx` runs K steps once on tensors without data and writes down every operation, those of the
backward pass included; Inductor compiles the list:

    state, images, labels │ indices, draws, rates        arguments, all of them tensors
             └─ step 1 ─ step 2 ─ ... ─ step K ─┘        straight-line code, no Python
    state changed in place, losses (K,)                  what a call leaves and returns

Nothing is traced through Python bytecode, so there are no graph breaks, and no guards to check
before each call (80 against 57 us a step of V0 on a 2-core AMD EPYC, batch 32); shapes and strides
are fixed instead, and another batch size or K is another function. What Python would decide at
each step must be a tensor: the learning rate, the count of steps, and the update itself
(`optimizer.py`, as torch's own reads both on the host). The state stays the model's and the
optimizer's own, so a training may go on with any other engine.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn, optim
from torch.func import functional_call
from torch.fx import GraphModule
from torch.utils._pytree import TreeSpec, tree_leaves, tree_structure, tree_unflatten

from bench.engine.engine import Drawn, Feed, loss_function
from bench.engine.optimizer import prepare_state, update_rule
from bench.engine.tracing import fixed_tensors, keep_changes, trace_model
from bench.spec.recipe import Recipe

# Casts of weights, counts of BatchNorm and the like are a kernel for each tensor, unless combined
CUDA_OPTIONS = {"combo_kernels": True}
AS_STRIDED = torch.ops.aten.as_strided.default
CONVOLVED = {  # convolution -> which argument its images are
    torch.ops.aten.convolution.default: 0,
    torch.ops.aten.convolution_backward.default: 1,
}
Functions: TypeAlias = dict[tuple[int, int], Callable[..., Tensor]]
"""Compiled functions by (steps in one call, images in each batch)."""


class State(NamedTuple):
    """The tensors that a step changes in place."""

    trainable: dict[str, Tensor]  # name -> parameter, without its autograd history
    fixed: dict[str, Tensor]  # name -> whatever else of the model is a tensor (buffers change)
    slots: list[list[Tensor]]  # of the optimizer, each in the order of `trainable`
    step: Tensor  # () float32, optimizer updates done; stays where the rule counts none


@dataclass(eq=False)
class WholeStep:
    """The steps of a model as calls of compiled functions."""

    model: nn.Module
    recipe: Recipe
    optimizer: optim.Optimizer
    feed: Feed
    functions: Functions  # filled on the way; seeds share them

    def __post_init__(self) -> None:
        self.rule = update_rule(self.recipe)
        slots, self.counts = prepare_state(self.optimizer, self.rule)
        named = dict(self.model.named_parameters())
        trainable = {name: p.detach() for name, p in named.items() if p.requires_grad}
        fixed = fixed_tensors(self.model)
        step = torch.zeros((), device=next(iter(trainable.values())).device)
        self.state = State(trainable, fixed, slots, step)
        self.always_given = tree_leaves(
            (self.state, self.feed.split.images, self.feed.split.labels)
        )

    def run(self, indices: Sequence[Tensor], drawn: Sequence[Drawn], rates: Tensor) -> Tensor:
        """Return the losses (K,) of K steps in one call, compiled when their shape first comes.

        To be called under `no_grad`; `rates` (K,) may begin at any 4 bytes.
        """
        each_draw = [tensor for draw in drawn for tensor in draw]
        arguments = [*self.always_given, *indices, *each_draw, rates]
        shape = len(indices), len(indices[0])
        if shape not in self.functions:
            split = self.feed.split
            inputs = self.state, split.images, split.labels, list(indices), list(drawn), rates
            steps = partial(self._steps, tree_structure(inputs))
            examples = [*arguments[:-1], _unaligned(rates)]
            self.functions[shape] = compile_graph(
                trace_model(self.model, steps, examples), examples
            )
        return self.functions[shape](*arguments)

    def advance(self, index: Tensor, drawn: Drawn, rate: Tensor) -> Tensor:
        """Take one step to be captured, with a rate () on the device; return its loss ()."""
        return self.run([index], [drawn], rate[None])[0]

    @contextmanager
    def steps_counted(self) -> Iterator[None]:
        """Read the optimizer's count of steps before a chunk, and write it back afterwards."""
        if self.counts:
            self.state.step.copy_(self.counts[0])
        yield
        if self.counts:
            torch._foreach_copy_(self.counts, [self.state.step] * len(self.counts))

    def _steps(self, spec: TreeSpec, *arguments: Tensor) -> Tensor:
        """Take the arguments apart and run step after step: the function that is traced."""
        state, images, labels, indices, drawn, rates = tree_unflatten(arguments, spec)
        losses = []
        for k, (index, own) in enumerate(zip(indices, drawn, strict=True)):
            batch = self.feed.gather(images, labels, index, own)
            losses.append(self.step(state, *batch, rates[k]))
        return torch.stack(losses)

    def step(self, state: State, images: Tensor, labels: Tensor, rate: Tensor) -> Tensor:
        """Take one step on a batch, as it is traced for the compiler; return the loss ()."""
        with torch.enable_grad():
            leaves = {name: p.detach().requires_grad_() for name, p in state.trainable.items()}
            given = {f"model.{name}": tensor for name, tensor in (leaves | state.fixed).items()}
            inputs = list(leaves.values()), images, labels
            passes = BothPasses(self.model, self.recipe)
            loss, gradients = functional_call(passes, given, inputs)
        keep_changes(state.fixed, given)
        if self.rule.counts_steps:
            state.step.add_(1)
        parameters, *slots = _of_used(gradients, list(state.trainable.values()), *state.slots)
        used = [gradient for gradient in gradients if gradient is not None]
        self.rule.apply(parameters, used, slots, rate, state.step)
        detached: Tensor = loss.detach()
        return detached


def _of_used(gradients: Sequence[Tensor | None], *lists: list[Tensor]) -> list[list[Tensor]]:
    """Return of each list what belongs to parameters with a gradient.

    Torch's optimizers pass the others by, those of an auxiliary head for example: no weight decay.
    """
    return [
        [tensor for tensor, gradient in zip(each, gradients, strict=True) if gradient is not None]
        for each in lists
    ]


class BothPasses(nn.Module):
    """Loss and gradients of a model as a module: backward too may look at its parameters.

    A net that checkpoints its activations computes them again there.
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe

    def forward(
        self, leaves: list[Tensor], images: Tensor, labels: Tensor
    ) -> tuple[Tensor, Sequence[Tensor | None]]:
        """Return the loss () and the gradients of these leaves, None where it has none."""
        loss = loss_function(self.model, self.recipe, images.device.type)(images, labels)
        gradients: Sequence[Tensor | None] = torch.autograd.grad(loss, leaves, allow_unused=True)
        return loss, gradients


def _unaligned(rates: Tensor) -> Tensor:
    """Equal rates, away from a multiple of 16 bytes.

    Compiled code copies an argument, at each call and with a kernel of its own, that does not begin
    at such a multiple where its example did; and a slice of rates begins at any of 4 bytes.
    """
    return torch.cat([rates[:1], rates])[1:]


def compile_graph(graph: GraphModule, arguments: Sequence[Tensor]) -> Callable[..., Tensor]:
    """Compile what was traced on such arguments; call it under `no_grad`.

    Shapes, strides and devices are fixed by them; it may change them in place.
    """
    import torch._inductor
    from torch._guards import TracingContext, tracing
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    is_cpu = arguments[0].device.type == "cpu"
    with torch.no_grad():
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
    """Make the strides of one-channel images explicit where a convolution takes them.

    Inductor keeps no stride of a dimension of size 1. Without it NHWC images of one channel would
    look like NCHW, and so would the output of the first convolution, the largest of all. Other
    convolutions stay as they are.
    """
    for node in [node for node in traced.graph.nodes if node.target in CONVOLVED]:
        images = node.args[CONVOLVED[node.target]]
        value = images.meta["val"]
        if value.dim() == 4 and value.shape[1] == value.stride(1) == 1:
            told = (images, list(value.shape), list(value.stride()))
            with traced.graph.inserting_before(node):
                node.replace_input_with(images, traced.graph.call_function(AS_STRIDED, told))
    traced.recompile()
