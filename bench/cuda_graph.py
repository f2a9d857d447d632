"""Steps captured in a CUDA graph: the host launches K steps at once.

Index tensors, augmentation draws and learning rates lie in static buffers, filled before each
replay: a permutation drawn inside the graph would be the same at every replay, and a learning rate
on the host would be frozen. Dropout draws inside: a captured generator moves on with each replay.
See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from bench.engine import Drawn, StepEngine
from bench.errors import RunError
from bench.group_engine import CompiledSteps, Steps

WARM_UP_RUNS = 3  # of a stream of their own: libraries choose algorithms and allocate workspaces
Advance: TypeAlias = Callable[[Tensor, Drawn, Tensor], Tensor]
"""One step: index (B,), drawn, learning rate () -> loss ()."""


@dataclass(frozen=True)
class Captured:
    """A graph of K steps with its buffers.

    Attributes:
        graph: to be replayed.
        inputs: what a replay reads: index tensors, draws and learning rates.
        losses: (K,) what it writes.
    """

    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    losses: Tensor

    def replay(self, inputs: Sequence[Tensor]) -> Tensor:
        """The losses (K,) of K steps on these inputs."""
        torch._foreach_copy_(self.inputs, list(inputs), non_blocking=True)
        self.graph.replay()
        return self.losses.clone()  # the next replay writes over them


class GraphSteps:
    """Groups as replays of captured graphs, one for each shape; captured when it first comes.

    A capture warms up with real steps, so every shape must come once in a warm-up whose changes
    are put back.

    Args:
        advance: one step.
        around: begins, ends and resets the chunks of `advance`.
    """

    def __init__(self, advance: Advance, around: Steps) -> None:
        self.advance = advance
        self.around = around
        self.captured: dict[tuple[int, int], Captured] = {}

    def begin(self) -> None:
        """Before the first call of a chunk."""
        self.around.begin()

    def end(self) -> None:
        """After the last call of a chunk."""
        self.around.end()

    def reset(self) -> None:
        """Forgets what untimed steps have left."""
        self.around.reset()

    def run(self, indices: Sequence[Tensor], drawn: Sequence[Drawn], rates: Tensor) -> Tensor:
        """Losses (K,) of K steps."""
        shape = len(indices), len(indices[0])
        if shape not in self.captured:
            self.captured[shape] = capture(self.advance, indices, drawn, rates)
        flat_drawn = [tensor for draw in drawn for tensor in draw]
        return self.captured[shape].replay([*indices, *flat_drawn, rates])


def capture(
    advance: Advance, indices: Sequence[Tensor], drawn: Sequence[Drawn], rates: Tensor
) -> Captured:
    """Runs the steps a few times, then captures them; the model has moved on afterwards."""
    own_indices = [index.clone() for index in indices]
    own_drawn = [tuple(tensor.clone() for tensor in draw) for draw in drawn]
    own_rates = rates.clone()

    def run_all() -> Tensor:
        steps = zip(own_indices, own_drawn, own_rates.unbind(), strict=True)
        return torch.stack([advance(index, draw, rate) for index, draw, rate in steps])

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP_RUNS):
            run_all()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        losses = run_all()
    flat_drawn = [tensor for draw in own_drawn for tensor in draw]
    captured = Captured(graph, [*own_indices, *flat_drawn, own_rates], losses)
    check_replay(captured)
    return captured


def check_replay(captured: Captured) -> None:
    """Replays once and looks whether the losses were written.

    Raises:
        RunError: the capture holds nothing, which no error of CUDA's would tell (`unsupported`).
    """
    captured.losses.fill_(math.nan)
    captured.graph.replay()
    if bool(captured.losses.isnan().all()):
        raise RunError("unsupported", "the CUDA graph captured no step; leave graph:N out")


class EagerSteps:
    """Uncaptured steps of a `StepEngine` whose optimizer reads nothing on the host.

    Args:
        engine: eager, or with forward and backward compiled; its optimizer has its state already.
    """

    def __init__(self, engine: StepEngine) -> None:
        self.engine = engine
        for group in engine.optimizer.param_groups:
            if "capturable" in group:
                group["capturable"] = True

    def begin(self) -> None:
        """Nothing to prepare."""

    def end(self) -> None:
        """Nothing to hand over."""

    def reset(self) -> None:
        """Puts the gradient scaler back."""
        self.engine.reset()

    def run(self, indices: Sequence[Tensor], drawn: Sequence[Drawn], rates: Tensor) -> Tensor:
        """Losses (K,) of K steps."""
        steps = zip(indices, drawn, rates.unbind(), strict=True)
        return torch.stack([self.advance(index, draw, rate) for index, draw, rate in steps])

    @torch.enable_grad()
    def advance(self, index: Tensor, drawn: Drawn, rate: Tensor) -> Tensor:
        """One step; gives its loss ()."""
        split = self.engine.feed.split
        batch = self.engine.feed.gather(split.images, split.labels, index, drawn)
        return self.engine.update(*batch, rate)


def capture_eager(engine: StepEngine) -> GraphSteps:
    """Graphs of eager steps, or of steps with forward and backward compiled."""
    steps = EagerSteps(engine)
    return GraphSteps(steps.advance, steps)


def capture_compiled(steps: CompiledSteps) -> GraphSteps:
    """Graphs of compiled whole steps."""

    def advance(index: Tensor, drawn: Drawn, rate: Tensor) -> Tensor:
        return steps.run([index], [drawn], rate[None])[0]

    return GraphSteps(advance, steps)
