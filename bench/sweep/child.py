"""What runs inside a child process. Torch-free itself: the parent imports this module too."""

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.errors import UsageError
from bench.machine.memory_limit import GB, limit_memory, memory_in_use
from bench.run.record import RunResult, Watcher, shortened
from bench.run.runner import execute_seeds
from bench.spec.artifacts import NOTHING, Artifacts
from bench.spec.run_spec import RunSpec
from bench.workers import messages
from bench.workers.confinement import leave
from data_pipeline import DataError
from fmnist_models import ModelError

if TYPE_CHECKING:
    from bench.train.training import Progress

PROGRESS_INTERVAL_S = 0.25  # four lines a second are enough for an eye
SAMPLES_OVERHEAD_BYTES = 1 << 20  # names and shapes
KEPT_GB = messages.MAX_SAMPLES_BYTES / GB
DATA_BYTES = 300 * 10**6  # what v0 takes beyond an idle child: the images, and copies on the way
REFUSALS = (UsageError, DataError, ModelError)


@dataclass(frozen=True)
class RunJob:
    """Seeds of one configuration."""

    spec: RunSpec
    seeds: tuple[int, ...]
    device: str
    data: Path | None
    artifacts: Artifacts = NOTHING


class StartJob(NamedTuple):
    """What a model starts from and what of it is trained, as a recipe says it."""

    model: str
    weights: str
    stem: str
    trainable: str


@dataclass(frozen=True)
class CheckJob:
    """What must hold before a sweep begins: device, recipe parts, user models."""

    models: tuple[str, ...]
    augmentations: tuple[str, ...]
    device: str
    data_hash: str
    needs_energy: bool
    starts: tuple[StartJob, ...] = ()
    max_memory_bytes: int | None = None


def run_seeds(pipe: Connection, job: RunJob) -> None:
    """Entry point of a child: runs the seeds and sends a record for each."""
    with _as_child(pipe):
        results = execute_seeds(
            job.spec,
            job.seeds,
            device=job.device,
            data=job.data,
            watch=_throttled(pipe),
            artifacts=job.artifacts,
        )
        try:
            for result in results:
                messages.send_result(pipe, sendable(result))
                if result.is_device_lost:
                    messages.send(pipe, messages.FAREWELL)
                    return
        except REFUSALS as error:  # gone since the check: the data, or the GPU
            messages.refuse(pipe, error)


def sendable(result: RunResult) -> RunResult:
    """The result without its samples where they are more than a parent takes."""
    num_bytes = sum(array.nbytes for array in result.samples.values())
    if num_bytes < messages.MAX_SAMPLES_BYTES - SAMPLES_OVERHEAD_BYTES:
        return result
    why = f"left out: {num_bytes / GB:.1f} GB, of which a run keeps {KEPT_GB:.1f}"
    record = replace(result.record, missing=result.record.missing | {"samples": why})
    return replace(result, record=shortened(record), samples={})


def check_request(pipe: Connection, job: CheckJob) -> None:
    """Entry point of a child: answers with the environment, or refuses with one line."""
    with _as_child(pipe):
        try:
            if job.max_memory_bytes is not None:
                _open_context(job.device)
                _check_memory(job.max_memory_bytes)
            messages.send(pipe, messages.ANSWER, check(job))
        except REFUSALS as error:
            messages.refuse(pipe, error)
        except KeyboardInterrupt:  # no Ctrl-C, which a child ignores
            what = "a model file raises KeyboardInterrupt; it must only define its model"
            messages.send(pipe, messages.REFUSAL, what)


def _open_context(device: str) -> None:
    """Has CUDA map what it maps before a model is there: every child will, and it counts."""
    _import_torch()
    import torch

    from bench.machine.device import pick_device

    if pick_device(device).type == "cuda":
        torch.cuda.init()
        torch.cuda.synchronize(device)


def _check_memory(max_bytes: int) -> None:
    """Refuses a limit that no training can keep, then keeps it: what follows is the user's code."""
    needed = (memory_in_use() or 0) + DATA_BYTES
    if max_bytes < needed:
        raise UsageError(
            f"--max-memory-gb {max_bytes / GB:g} is not enough: a child takes {needed / GB:.1f} GB "
            f"before it has a model; choose at least {math.ceil(needed / GB * 10) / 10:.1f}"
        )
    limit_memory(max_bytes)


def check(job: CheckJob) -> dict[str, Any]:
    """Device and environment, after trying what a user may have got wrong.

    Raises:
        UsageError: no such device, or no NVML for a budget in joules.
        DataError: no such augmentation.
        ModelError: a user's model that cannot be imported, built or called, or weights that cannot
            be put into a model.
    """
    _import_torch()
    from bench.machine.device import pick_device
    from bench.machine.environment import describe_environment
    from bench.machine.nvml import open_energy_counter
    from data_pipeline import parse_augmentation
    from fmnist_models import build_model, list_models

    for name in job.augmentations:
        parse_augmentation(name)
    device = pick_device(job.device)
    gpu, no_energy = open_energy_counter(device)
    if job.needs_energy and gpu is None:
        raise UsageError(f"a budget in joules needs NVML ({no_energy}); choose another unit")
    for name in job.models:
        if name not in list_models() and not any(
            parameter.requires_grad for parameter in build_model(name).parameters()
        ):
            raise ModelError(f"{name} has no parameter to train; give it one that requires grad")
    for start in job.starts:
        _try_start(start)
    return {"device": str(device), "environment": describe_environment(device, job.data_hash)}


def _try_start(job: StartJob) -> None:
    """Loads weights and freezes parts once, where a recipe does so."""
    from fmnist_models import build_model
    from fmnist_models.freezing import freeze
    from fmnist_models.pretrained import start_from

    if (job.weights, job.trainable) != ("random", "all"):
        model = build_model(job.model)
        start_from(model, job.model, job.weights, job.stem)
        freeze(model, job.model, job.trainable)


def _import_torch() -> None:
    try:
        import torch
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError) as error:  # the latter: wheels that do not fit each other
        raise UsageError(f"torch does not work here ({error}); run `make setup`") from None
    del torch


@contextmanager
def _as_child(pipe: Connection) -> Iterator[None]:
    """A child ends when its parent is gone, whatever it is doing."""
    threading.Thread(target=_exit_with_parent, args=(pipe,), daemon=True).start()
    yield
    pipe.close()


def _exit_with_parent(pipe: Connection) -> None:
    # The parent never writes: the pipe becomes readable only when the parent is gone.
    with contextlib.suppress(OSError, EOFError):
        pipe.recv_bytes()
    leave()


def _throttled(pipe: Connection) -> Watcher:
    """Sends phases at once and training progress at most every `PROGRESS_INTERVAL_S`."""
    due = 0.0

    def watch(seed: int, phase: str, progress: "Progress | None") -> None:
        nonlocal due
        now = time.monotonic()
        if progress is not None and now < due:
            return
        due = now + PROGRESS_INTERVAL_S
        messages.send_progress(pipe, messages.progress_content(seed, phase, progress))

    return watch
