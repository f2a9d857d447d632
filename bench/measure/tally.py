"""Counts of one training step: FLOPs, operators, bytes of tensors alive at its peak.

Counts of operators and bytes are taken where PyTorch hands each operator of a step to a backend
(`TorchDispatchMode`), forward, backward and update alike. They depend on the code and on the
version of torch, not on the load, the threads or the make of a CPU, and are the same every time.
What a kernel allocates for itself and frees again is not among the bytes.
"""

import gc
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from bench.engine.engine import StepEngine
from bench.measure.workload import count_kernels

RATE = 1e-3


def tally_step(engine: StepEngine, batch: Tensor) -> dict[str, int]:
    """Count an eager step on images (B,) int64: some are run, so the model moves on.

    `kept_bytes` is by how much the tensors alive grow from one step to the next: 0, or a leak.
    On CUDA `kernels` comes with them where the profiler sees any, and the peak is the allocator's.
    A compiled engine hands over no operators.
    """

    def step() -> None:
        engine.run([batch], [RATE])

    device = batch.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []), _collector_off():
        with FlopCounterMode(display=False) as flops:
            step()  # the optimizer's state is made here, if none was made before
        counts = {"flops": int(flops.get_total_flops())} | _tallied(engine, step)
        return counts | (_of_cuda(step, device) if device.type == "cuda" else {})


def _tallied(engine: StepEngine, step: Callable[[], None]) -> dict[str, int]:
    tensors = (*engine.model.parameters(), *engine.model.buffers())
    tally = Tally([*tensors, *tree_leaves(list(engine.optimizer.state.values()))])
    with tally:
        step()
        tally.restart()  # cyclic garbage of the step before is still there, and counts
        step()
        counts = {"operators": tally.operators, "peak_bytes": tally.peak_bytes}
        gc.collect()
        before = tally.live_bytes
        step()
        gc.collect()
    return {**counts, "kept_bytes": tally.live_bytes - before}


def _of_cuda(step: Callable[[], None], device: torch.device) -> dict[str, int]:
    """Kernels, and bytes that the allocator held at the peak of a step beyond its begin."""
    kernels = count_kernels(step, 1)
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    step()
    torch.cuda.synchronize(device)
    peak_bytes = torch.cuda.max_memory_allocated(device) - before
    known = {} if kernels is None else {"kernels": round(kernels)}
    return {**known, "peak_bytes": peak_bytes}


class Tally(TorchDispatchMode):
    """Count operators and the bytes of storages alive while it is entered."""

    def __init__(self, alive: Iterable[object]) -> None:
        super().__init__()
        self.operators = 0  # handed over since the last `restart`
        self.live_bytes = 0  # of all storages met that still live
        self.peak_bytes = 0  # the most that this was since the last `restart`
        self._met: set[int] = set()
        self._meet(alive)

    def restart(self) -> None:
        """Count operators and the peak anew."""
        self.operators, self.peak_bytes = 0, self.live_bytes

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - as torch calls it
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        results = func(*args, **(kwargs or {}))
        self.operators += 1
        self._meet(tree_leaves(results))
        return results

    def _meet(self, values: Iterable[object]) -> None:
        for value in values:
            if not isinstance(value, Tensor):
                continue
            storage = value.untyped_storage()
            # torch keeps the Python object of a storage for as long as any tensor, or a node of
            # autograd in C++, holds it: its id is its own, and it dies when the bytes are freed
            key, num_bytes = id(storage), int(storage.nbytes())
            if key not in self._met:
                self._met.add(key)
                self.live_bytes += num_bytes
                self.peak_bytes = max(self.peak_bytes, self.live_bytes)
                weakref.finalize(storage, self._forget, key, num_bytes).atexit = False

    def _forget(self, key: int, num_bytes: int) -> None:
        self._met.remove(key)
        self.live_bytes -= num_bytes


@contextmanager
def _collector_off() -> Iterator[None]:
    """Cycles are collected where we say so; what is there already is not walked each time."""
    was_on, were_frozen = gc.isenabled(), gc.get_freeze_count() > 0
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        if not were_frozen:
            gc.unfreeze()
        if was_on:
            gc.enable()
