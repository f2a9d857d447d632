"""A CUDA device that never was: streams, graphs and the switches around them, for tests on a CPU.

`simulate_cuda` puts stand-ins into torch, so that what captures runs unchanged; `torch.cuda.graph`
stays torch's own. The tensors stay those of a CPU.
"""

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Self

import pytest
import torch

from bench.engine import cuda_graph
from tests.bench.engine.graphs_by_hand import INVALIDATED, OnHost, Recording, Refusing


class Stream:
    """A stream in name only; knows which others it has waited for."""

    def __init__(self, device: object = None) -> None:
        self.device = device
        self.waited: list[Stream] = []

    def wait_stream(self, other: "Stream") -> None:
        """Notes it."""
        self.waited.append(other)


@dataclass
class StreamContext:
    """A stream is left only where somebody leaves it: `torch.cuda.graph` may not."""

    simulation: "Simulation"
    stream: Stream

    def __enter__(self) -> None:
        self.before = self.simulation.stream
        is_ordered = self.stream is self.before or self.before in self.stream.waited
        assert is_ordered or self.simulation.is_idle, "the stream did not wait for the other"
        self.simulation.stream, self.simulation.is_idle = self.stream, False

    def __exit__(self, *error: object) -> None:
        self.simulation.stream = self.before


@dataclass
class Simulation:
    """What the stand-ins share."""

    default_stream: Stream = field(default_factory=Stream)
    stream: Stream = field(init=False)  # the current one
    recording: Recording | None = None
    is_idle: bool = False  # since all streams were waited for, none was entered
    refusing: Refusing | None = None
    is_poisoned: bool = False  # after a failed capture the generator of torch 2.11 draws no more
    captures: list[tuple[int, Stream, object]] = field(default_factory=list)  # nodes, stream, pool
    num_replays: int = 0
    num_alive: int = 0  # graphs that were made and not freed

    def __post_init__(self) -> None:
        self.stream = self.default_stream

    def use_stream(self, stream: Stream) -> "StreamContext":
        """Stands for `torch.cuda.stream`."""
        return StreamContext(self, stream)

    def synchronize(self, _device: object = None) -> None:
        """Stands for torch's."""
        self.is_idle = True

    def set_sync_debug_mode(self, mode: int | str) -> None:
        """Stands for torch's."""
        if self.refusing is not None:
            self.refusing.__exit__(None, None, None)
            self.refusing = None
        if mode in {"error", 2}:
            self.refusing = Refusing()
            self.refusing.__enter__()

    def manual_seed(self, seed: int) -> torch.Generator:
        """Stands for torch's."""
        if self.recording is not None:
            self.recording.refuse("a generator is seeded")
        return torch.default_generator.manual_seed(seed)

    def sync_debug_mode(self) -> int:
        """Stands for torch's."""
        return 0 if self.refusing is None else 2


class Graph:
    """Stands for `torch.cuda.CUDAGraph`; a subclass of `simulate_cuda`'s knows the simulation."""

    simulation: Simulation

    def __init__(self) -> None:
        self.simulation.num_alive += 1

    def __del__(self) -> None:
        self.simulation.num_alive -= 1

    def capture_begin(self, pool: object = None, **_modes: object) -> None:
        """Begins to write down."""
        simulation = self.simulation
        assert simulation.stream is not simulation.default_stream, "no capture on this stream"
        self.pool, self.stream = pool, simulation.stream
        self.recording = simulation.recording = Recording()
        self.on_host = OnHost(self.recording)
        self.on_host.__enter__()
        self.recording.__enter__()

    def capture_end(self) -> None:
        """Undoes all; raises where something was not permitted."""
        self.recording.__exit__(None, None, None)
        self.on_host.__exit__(None, None, None)
        self.simulation.recording = None
        self.recording.undo()
        if self.recording.has_failed:
            self.simulation.is_poisoned = True
            raise RuntimeError(INVALIDATED)
        capture = len(self.recording.nodes), self.stream, self.pool
        self.simulation.captures.append(capture)

    @torch.no_grad()
    def replay(self) -> None:
        """Runs again what was written down."""
        self.simulation.num_replays += 1
        for node in self.recording.nodes:
            node.run()

    def reset(self) -> None:
        """Forgets it."""
        self.recording.nodes.clear()


def simulate_cuda(patch: pytest.MonkeyPatch, *, is_available: bool = True) -> Simulation:
    """Puts the stand-ins into torch; without `is_available`, Dynamo asks nothing of the device."""
    simulation = Simulation()

    class OwnGraph(Graph):
        def __new__(cls, *_args: object) -> Self:
            return super().__new__(cls)

    OwnGraph.simulation = simulation
    stand_ins: dict[str, Any] = {
        "CUDAGraph": OwnGraph,
        "Stream": Stream,
        "stream": simulation.use_stream,
        "current_stream": lambda _device=None: simulation.stream,
        "is_current_stream_capturing": lambda: simulation.recording is not None,
        "graph_pool_handle": object,
        "synchronize": simulation.synchronize,
        "empty_cache": lambda: None,
        "set_sync_debug_mode": simulation.set_sync_debug_mode,
        "get_sync_debug_mode": simulation.sync_debug_mode,
    }
    for name, stand_in in stand_ins.items():
        patch.setattr(torch.cuda, name, stand_in)
    patch.setattr(torch._C, "_host_emptyCache", lambda: None, raising=False)
    patch.setattr(torch, "manual_seed", simulation.manual_seed)
    # torch.optim hides its modules
    rmsprop = import_module("torch.optim.rmsprop")
    patch.setattr(rmsprop, "_get_capturable_supported_devices", lambda *_a, **_k: ["cpu"])
    if is_available:
        _simulate_health(patch, simulation)
    cuda_graph.capture_stream.cache_clear()
    return simulation


def _simulate_health(patch: pytest.MonkeyPatch, simulation: Simulation) -> None:
    """What `_cuda_graph_capture_health_check` of torch 2.11 and its successor of 2.14 look at."""
    patch.setattr(torch.cuda, "is_available", lambda: True)

    class Current:
        def is_capturing(self) -> bool:
            return simulation.recording is not None

    patch.setattr(torch.accelerator, "current_accelerator", lambda **_k: torch.device("cuda"))
    patch.setattr(torch.accelerator, "current_stream", lambda _device=None: Current())
