"""Steps captured in a CUDA graph: the host launches K steps at once.

    indices, draws, rates ──copy──> static buffers ─> step 1 ─ ... ─ step K ─> losses (K,)
    of the next K steps                               └──── one captured graph, replayed ────┘

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

from bench.engine.engine import Drawn
from bench.engine.failures import classify
from bench.errors import RunError, short_line
from fmnist_models.external import message_of

WARM_UP_RUNS = 2  # of a stream of their own: libraries choose algorithms and allocate workspaces
WAITED = "called a synchronizing CUDA operation"  # torch's words
Advance: TypeAlias = Callable[[Tensor, Drawn, Tensor], Tensor]
"""One step: index (B,), drawn, learning rate () -> loss ()."""
Buffers: TypeAlias = list[list[Tensor]]
"""The inputs of K steps: lists of K tensors of one type, which one kernel copies.

First the index tensors, then the draws of each augmentation, last the learning rates, each in a
buffer of its own: compiled code copies what is not aligned to 16 bytes.
"""


@dataclass(frozen=True)
class Captured:
    """A graph of K steps, the buffers that a replay reads and the losses (K,) that it writes."""

    graph: torch.cuda.CUDAGraph
    buffers: Buffers
    losses: Tensor

    def replay(self, inputs: Buffers) -> Tensor:
        """Return the losses (K,) of K steps on these inputs."""
        for own, given in zip(self.buffers, inputs, strict=True):
            torch._foreach_copy_(own, given, non_blocking=True)
        self.graph.replay()
        return self.losses.clone()  # the next replay, of whichever graph, writes over them


class GraphSteps:
    """Groups of steps as replays of captured graphs: one a shape, captured when it first comes.

    A capture warms up with real steps, so every shape must come once in a warm-up whose changes
    are put back. The graphs share their memory: none needs anything of its last replay.
    """

    def __init__(self, advance: Advance) -> None:
        self.advance = advance
        self.pool = torch.cuda.graph_pool_handle()
        self.captured: dict[tuple[int, int], Captured] = {}

    def __call__(self, indices: Sequence[Tensor], drawn: Sequence[Drawn], rates: Tensor) -> Tensor:
        """Return the losses (K,) of K steps."""
        shape = len(indices), len(indices[0])
        inputs = [list(indices), *map(list, zip(*drawn, strict=True)), list(rates.unbind())]
        if shape not in self.captured:
            self.captured[shape] = capture(self.advance, inputs, self.pool)
        return self.captured[shape].replay(inputs)


def capture(advance: Advance, inputs: Buffers, pool: "torch.cuda._POOL_HANDLE") -> Captured:
    """Run the steps a few times, then capture them; the model has moved on afterwards.

    The shapes are those of the inputs; the memory of the graph is the pool's, which others share.

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
    """Return the one stream of a process that steps are captured on.

    Libraries keep a workspace of some MiB for each stream that they ever met. The warm-up is on it
    as well: a workspace that is first asked for in a capture would lie in the memory of its graph.
    """
    return torch.cuda.Stream()


@contextmanager
def refused_waiting() -> Iterator[None]:
    """Refuse steps that wait for the device; inside a capture they would spoil the process.

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
    """Capture the steps into the graph; returns the losses (K,) that it will write.

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
    """Replay once and check that the losses were written.

    Raises:
        RunError: the capture holds nothing, which no error of CUDA's would tell (`unsupported`).
    """
    captured.losses.fill_(-math.inf)  # no cross-entropy is; NaN it may well be
    captured.graph.replay()
    if bool((captured.losses == -math.inf).all()):
        raise RunError("unsupported", "the CUDA graph captured no step; leave graph:N out")
