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
from bench.spec.budget import Budget
from bench.spec.recipe import Recipe
from bench.spec.run_spec import RunSpec
from bench.sweep.progress import describe_run
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


class RequestedTraining(NamedTuple):
    """A model, how it is trained, and how long; None for the device's default."""

    model: str
    recipe: Recipe
    budget: Budget | None = None


@dataclass(frozen=True)
class CheckJob:
    """What must be possible before a sweep begins."""

    device: str
    data_hash: str
    trainings: tuple[RequestedTraining, ...] = ()
    max_memory_bytes: int | None = None


def run_seeds(pipe: Connection, job: RunJob) -> None:
    """Entry point of a child: runs the seeds and sends a record for each."""
    with as_child(pipe):
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
    """Leave the samples out of a result where they are more than a parent takes."""
    num_bytes = sum(array.nbytes for array in result.samples.values())
    if num_bytes < messages.MAX_SAMPLES_BYTES - SAMPLES_OVERHEAD_BYTES:
        return result
    why = f"left out: {num_bytes / GB:.1f} GB, of which a run keeps {KEPT_GB:.1f}"
    record = replace(result.record, missing=result.record.missing | {"samples": why})
    return replace(result, record=shortened(record), samples={})


def check_request(pipe: Connection, job: CheckJob) -> None:
    """Entry point of a child: answers with the environment, or refuses with one line."""
    with as_child(pipe):
        try:
            if job.max_memory_bytes is not None:
                _check_memory(job.device, job.max_memory_bytes)
            messages.send(pipe, messages.ANSWER, check(job))
        except REFUSALS as error:
            messages.refuse(pipe, error)


def _check_memory(device: str, max_bytes: int) -> None:
    """Refuse a memory limit below what any training takes, then set it: user code follows."""
    import_torch()
    import torch

    from bench.machine.device import pick_device

    if pick_device(device).type == "cuda":  # what CUDA maps counts, and every child will have it
        torch.cuda.init()
        torch.cuda.synchronize(device)
    needed = (memory_in_use() or 0) + DATA_BYTES
    if max_bytes < needed:
        raise UsageError(
            f"--max-memory-gb {max_bytes / GB:g} is not enough: a child takes {needed / GB:.1f} GB "
            f"before it has a model; choose at least {math.ceil(needed / GB * 10) / 10:.1f}"
        )
    limit_memory(max_bytes)


def check(job: CheckJob) -> dict[str, Any]:
    """Try what a user may have got wrong; return the device and the environment.

    Raises:
        UsageError: no such device, or no energy counter for a budget in joules.
        DataError: no such augmentation.
        ModelError: weights that cannot be put into a model.
    """
    import_torch()
    from bench.machine.device import pick_device
    from bench.machine.environment import describe_environment
    from bench.machine.meters import open_energy_counter
    from data_pipeline import parse_augmentation

    for name in {name for one in job.trainings for name in one.recipe.augment}:
        parse_augmentation(name)
    device = pick_device(job.device)
    counter, no_energy = open_energy_counter(device)
    needs_energy = any(one.budget and one.budget.unit == "J" for one in job.trainings)
    if needs_energy and counter is None:
        raise UsageError(
            f"a budget in joules has no counter here: {no_energy}; choose another unit"
        )
    _try_starts(job.trainings)
    return {"device": str(device), "environment": describe_environment(device, job.data_hash)}


def _try_starts(trainings: tuple[RequestedTraining, ...]) -> None:
    """Load weights into models of ours, and freeze parts, where a recipe does so."""
    from fmnist_models import build_model, list_models
    from fmnist_models.freezing import freeze
    from fmnist_models.pretrained import start_from

    starts = {
        (m, recipe.weights, recipe.stem, recipe.trainable): None for m, recipe, _ in trainings
    }
    for name, weights, stem, trainable in starts:
        if name in list_models() and (weights, trainable) != ("random", "all"):
            model = build_model(name)
            start_from(model, name, weights, stem)
            freeze(model, name, trainable)


def import_torch() -> None:
    """Import torch.

    Raises:
        UsageError: it does not import.
    """
    try:
        import torch  # noqa: F401
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError) as error:  # the latter: wheels that do not fit each other
        raise UsageError(f"torch does not work here ({error}); run `make setup`") from None


@contextmanager
def as_child(pipe: Connection) -> Iterator[None]:
    """End this process when its parent is gone, whatever it is doing."""

    def exit_with_parent() -> None:
        # The parent never writes: the pipe becomes readable only when the parent is gone.
        with contextlib.suppress(OSError, EOFError):
            pipe.recv_bytes()
        leave()

    threading.Thread(target=exit_with_parent, daemon=True).start()
    yield
    pipe.close()


def _throttled(pipe: Connection) -> Watcher:
    """Send phases at once and training progress at most every `PROGRESS_INTERVAL_S`."""
    due = 0.0

    def watch(seed: int, phase: str, progress: "Progress | None") -> None:
        nonlocal due
        now = time.monotonic()
        if progress is not None and now < due:
            return
        due = now + PROGRESS_INTERVAL_S
        messages.send_progress(pipe, describe_run(seed, phase, progress))

    return watch
