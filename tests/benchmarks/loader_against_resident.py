"""Resident data against a DataLoader: images a second in turns of one run, and how busy a GPU is.

`python -m tests.benchmarks.loader_against_resident --device cuda:0`. Both sides train the same net
eagerly on images of noise under the default recipe; the DataLoader has workers, pinned memory and
prefetching on CUDA, and none of them on a CPU (`LoaderEngine` of bench/engine). The busy share is
the time covered by kernels over the time of a turn of its own, traced by torch's profiler, which
slows the host down a little: no turn that is timed is traced. On a CPU it is unknown.
"""

import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from bench.gate.worker import Worker
from bench.shell import run_main

SIDES = ("dataloader", "resident")
MODELS = ("v0", "v2", "resnet18_3x3")
TURN_S = 0.5
NO_KERNELS = ("Memcpy", "Memset")
TRACED_STEPS = 200


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda:N.")] = "cuda:0",
    models: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(MODELS),
    turns: Annotated[int, typer.Option(help="Turns a side.", min=1)] = 7,
    turn: Annotated[float, typer.Option(help="Seconds of one turn.")] = TURN_S,
    out: Annotated[Path | None, typer.Option(help="File that gets the raw turns as JSON.")] = None,
) -> None:
    """Print images a second and the busy share of each side, and the ratio, turn by turn."""
    sys.stdout.write(f"{'model':<14}{'images/s: dataloader':>22}{'resident':>12}{'ratio':>8}")
    sys.stdout.write(f"{'busy: dataloader':>18}{'resident':>10}\n")
    raw = {}
    for model in models.split(","):
        sides = {side: Worker() for side in SIDES}
        steps = {
            side: worker.prepare(model, side, device, [], turn)["steps"]
            for side, worker in sides.items()
        }
        seconds = take_turns(sides, model, steps, turns)
        images = images_a_step(sides["resident"])
        busy = [busy_share(sides[side], model, traced(steps[side]), device) for side in SIDES]
        sys.stdout.write(line(model, seconds["dataloader"], seconds["resident"], busy, images))
        sys.stdout.flush()
        raw[model] = {"step_s": seconds, "images_a_step": images, "steps": steps, "busy": busy}
    if out is not None:
        out.write_text(json.dumps(raw, indent=1), encoding="utf-8")


def traced(steps: int) -> int:
    """Steps of a traced turn: a trace of a whole one takes the profiler longer than the turn."""
    return max(1, min(steps, TRACED_STEPS))


def take_turns(
    sides: dict[str, Worker], model: str, steps: dict[str, int], turns: int
) -> dict[str, list[float]]:
    """Seconds of a step in each turn, by side; who begins changes from turn to turn."""
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(turns):
        for side in sides if turn % 2 else reversed(sides):
            seconds[side].append(sides[side].turn(model, steps[side]))
    return seconds


def images_a_step(worker: Worker) -> float:
    """Images of a step: those of the last turn over its steps."""
    (training,) = worker.ready.values()
    return training.trace.images_seen / training.trace.steps


def line(
    model: str,
    loader: Sequence[float],
    resident: Sequence[float],
    busy: Sequence[float | None],
    num_images: float,
) -> str:
    """A row of the table."""
    rates = [num_images / statistics.median(side) for side in (loader, resident)]
    ratio = statistics.median(a / b for a, b in zip(loader, resident, strict=True))
    shares = ["unknown" if share is None else f"{share:.0%}" for share in busy]
    cells = f"{rates[0]:>22,.0f}{rates[1]:>12,.0f}{ratio:>8.2f}{shares[0]:>18}{shares[1]:>10}"
    return f"{model:<14}{cells}\n"


def busy_share(worker: Worker, model: str, steps: int, device: str) -> float | None:
    """Share of a traced turn in which some kernel ran; None on a CPU, or where none is seen."""
    if device == "cpu":
        return None
    with profile(activities=[ProfilerActivity.CUDA]) as traced:
        started = time.perf_counter()
        worker.turn(model, steps)
        torch.cuda.synchronize()
        seconds = time.perf_counter() - started
    kernels = [
        (event.time_range.start, event.time_range.end)
        for event in traced.events() or ()
        if is_kernel(event)
    ]
    return covered(kernels) / 1e6 / seconds if kernels else None


def is_kernel(event: FunctionEvent) -> bool:
    """Whether it is no range of a step, nor a copy, which also lie on the device's time line."""
    is_range = event.is_user_annotation or event.name.startswith(NO_KERNELS)
    return event.device_type.name == "CUDA" and not is_range


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Length of the union of some spans of time."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


if __name__ == "__main__":
    sys.exit(run_main(main, "loader_against_resident", sys.argv[1:]))
