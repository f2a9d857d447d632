"""Steps captured in a CUDA graph: the host launches K steps at once.

Index tensors, augmentation draws and learning rates lie in static buffers, filled before each
replay: a permutation drawn inside the graph would be the same at every replay, and a learning rate
on the host would be frozen. Dropout draws inside: a captured generator moves on with each replay.
See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import torch
from torch import Tensor

from bench.engine.engine import Drawn, StepEngine
from bench.engine.failures import classify
from bench.engine.group_engine import CompiledSteps, Steps
from bench.errors import RunError, short_line
from fmnist_models.external import message_of

WARM_UP_RUNS = 2  # of a stream of their own: libraries choose algorithms and allocate workspaces
WAITED = "called a synchronizing CUDA operation"  # torch's words
Advance: TypeAlias = Callable[[Tensor, Drawn, Tensor], Tensor]
"""One step: index (B,), drawn, learning rate () -> loss ()."""
Buffers: TypeAlias = list[list[Tensor]]
"""What K steps read, K tensors of one type in each list, which one kernel copies."""


@dataclass(frozen=True)
class Captured:
    """A graph of K steps with its buffers.

    Attributes:
        graph: to be replayed.
        buffers: what a replay reads; see `inputs_of`.
        losses: (K,) what it writes.
    """

    graph: torch.cuda.CUDAGraph
    buffers: Buffers
    losses: Tensor

    def replay(self, inputs: Buffers) -> Tensor:
        """The losses (K,) of K steps on these inputs."""
        for own, given in zip(self.buffers, inputs, strict=True):
            torch._foreach_copy_(own, given, non_blocking=True)
        self.graph.replay()
        return self.losses.clone()  # the next replay, of whichever graph, writes over them


class GraphSteps:
    """Groups as replays of captured graphs, one for each shape; captured when it first comes.

    A capture warms up with real steps, so every shape must come once in a warm-up whose changes
    are put back. The graphs share their memory: none needs anything of its last replay.

    Args:
        advance: one step.
        around: begins, ends and resets the chunks of `advance`.
    """

    def __init__(self, advance: Advance, around: Steps) -> None:
        self.advance = advance
        self.around = around
        self.pool = torch.cuda.graph_pool_handle()
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
        shape, inputs = (len(indices), len(indices[0])), inputs_of(indices, drawn, rates)
        if shape not in self.captured:
            self.captured[shape] = capture(self.advance, inputs, self.pool)
        return self.captured[shape].replay(inputs)


def inputs_of(indices: Sequence[Tensor], drawn: Sequence[Drawn], rates: Tensor) -> Buffers:
    """Index tensors, draws of each augmentation, and learning rates of K steps.

    Each rate lies in a buffer of its own: compiled code copies what is not aligned to 16 bytes.
    """
    return [list(indices), *map(list, zip(*drawn, strict=True)), list(rates.unbind())]


def capture(advance: Advance, inputs: Buffers, pool: "torch.cuda._POOL_HANDLE") -> Captured:
    """Runs the steps a few times, then captures them; the model has moved on afterwards.

    Args:
        advance: one step.
        inputs: examples; shapes are fixed by them.
        pool: memory of the graph, which others may share.

    Raises:
        RunError: they cannot be captured (`unsupported`).
    """
    buffers = [[tensor.clone() for tensor in kind] for kind in inputs]
    indices, *kinds, rates = buffers
    drawn = list(zip(*kinds, strict=True)) or [()] * len(indices)

    def run_all() -> Tensor:
        steps = zip(indices, drawn, rates, strict=True)
        return torch.stack([advance(*step) for step in steps])

    graph, stream, before = torch.cuda.CUDAGraph(), capture_stream(), torch.cuda.current_stream()
    stream.wait_stream(before)
    try:
        # also around the capture, which does not leave its stream where it fails
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_RUNS):
                run_all()
            with refused_waiting():
                run_all()
            losses = record(graph, run_all, pool)
    finally:  # whoever puts weights back must come after the steps
        before.wait_stream(stream)
    captured = Captured(graph, buffers, losses)
    check_replay(captured)
    return captured


@cache
def capture_stream() -> torch.cuda.Stream:
    """The one stream of a process that steps are captured on.

    Libraries keep a workspace of some MiB for each stream that they ever met. The warm-up is on it
    as well: a workspace that is first asked for in a capture would lie in the memory of its graph.
    """
    return torch.cuda.Stream()


@contextmanager
def refused_waiting() -> Iterator[None]:
    """Refuses steps that wait for the device: with a capture begun they would spoil the process.

    Raises:
        RunError: a step does (`unsupported`).
    """
    before = torch.cuda.get_sync_debug_mode()
    try:
        with warnings.catch_warnings():  # torch calls this a prototype at its first use
            warnings.simplefilter("ignore")
            torch.cuda.set_sync_debug_mode("error")
        yield
    except RuntimeError as error:
        if WAITED not in str(error):
            raise
        reason = "the model reads a value of the device on the host, or copies to it, at each step"
        raise RunError(
            "unsupported", f"{reason}, which no CUDA graph can; leave graph:N out"
        ) from error
    finally:
        torch.cuda.set_sync_debug_mode(before)


def record(
    graph: torch.cuda.CUDAGraph, run_all: Callable[[], Tensor], pool: "torch.cuda._POOL_HANDLE"
) -> Tensor:
    """Captures into the graph, and gives the losses (K,) that it will write.

    Raises:
        RunError: CUDA permits something in it only outside (`unsupported`).
    """
    first: Exception | None = None
    try:
        with torch.cuda.graph(graph, pool=pool, stream=torch.cuda.current_stream()):
            try:
                losses = run_all()
            except Exception as error:
                first = error
                raise
    except Exception as error:  # the end of a broken capture raises too, and hides the cause
        cause = first or error
        if classify(cause)[0] == "out_of_memory":
            raise cause from cause.__cause__
        reason = f"the steps cannot be captured: {short_line(message_of(cause))}"
        raise RunError("unsupported", f"{reason}; leave graph:N out") from cause
    return losses


def check_replay(captured: Captured) -> None:
    """Replays once and looks whether the losses were written.

    Raises:
        RunError: the capture holds nothing, which no error of CUDA's would tell (`unsupported`).
    """
    captured.losses.fill_(-math.inf)  # no cross-entropy is; NaN it may well be
    captured.graph.replay()
    if bool((captured.losses == -math.inf).all()):
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
