"""What a process of its own costs a configuration: `python -m tests.benchmarks.isolation_cost`.

*server* is paid once a sweep, in the background of its checks: from `start_server` in a fresh
interpreter until a first trivial child has answered, so with the imports of torch and the compiler.

*child* is paid for each configuration: the wall seconds of one configuration of one run (v0, 20
steps, evaluated on the test images) in a child, from the call that forks it until it is gone and
its result is read, less those of the same configuration in this very process, which is warm: it
has run it before, and its garbage collector looks at no imports, like that of a child. So all that
a fresh process does for the first time is in the difference. The runs take turns, and the
difference is that of their medians. *ready* is the part of it until the child's first message,
which says that it begins with its first seed.

The compiled plan is `step`, its code compiled before: child and process both read it from the
cache on disk, for which the process forgets between its turns what it has compiled. On CUDA a child
has to make a CUDA context of its own, which this process has already: that is in the difference.
"""

import argparse
import gc
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bench import RECIPES, Budget, Plan, RunSpec
from bench.run.record import RunResult
from bench.sweep.request import Request
from bench.sweep.sweep import Sweep, _here, _in_child
from bench.workers.interruption import Interruption
from bench.workers.isolation import ask, start_server
from results import RunStore
from tests.bench.workers.children_by_hand import answers

PLANS = {
    "cpu": {"eager": "threads:1", "step": "step,threads:1"},
    "cuda": {"eager": "eager", "step": "step"},
}
SERVER = "from tests.benchmarks.isolation_cost import time_server; time_server()"


class Turn(NamedTuple):
    """Seconds of one configuration, and of those the ones until its first message."""

    wall_s: float
    ready_s: float


def main() -> None:
    """Takes the turns on a CPU and, where there is one, on a GPU; prints a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--servers", type=int, default=3)
    asked = parser.parse_args()
    servers = [start_of_a_server() for _ in range(asked.servers)]
    write(f"server: {statistics.median(servers):.2f} s ({spread(servers)})\n\n")
    write("| device | plan | in this process | in a child | a child costs | until ready |\n")
    write("|---|---|---:|---:|---:|---:|\n")
    for device in devices():
        for name, plan in PLANS[device].items():
            here, child = take_turns(spec_of(plan, device), device, asked.repeats)
            write(row(f"| {device} | {name} |", here, child))


def write(text: str) -> None:
    """Writes at once, since the next figures may take a minute."""
    sys.stdout.write(text)
    sys.stdout.flush()


def devices() -> list[str]:
    """What there is to run on."""
    import torch

    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def spec_of(plan: str, device: str) -> RunSpec:
    """The one configuration, under a plan."""
    recipe = RECIPES["default"]
    spec = RunSpec(model="v0", recipe=recipe, budget=Budget(20, "steps"), plan=Plan.parse(plan))
    return spec.resolved_for(device)


def start_of_a_server() -> float:
    """Seconds until a fork server is of use, in an interpreter of its own."""
    command = [sys.executable, "-c", SERVER]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def time_server() -> None:
    """Writes the seconds from the start of a server until a first child has answered."""
    began = time.perf_counter()
    start_server()
    ask(answers, "here")
    sys.stdout.write(f"{time.perf_counter() - began}\n")


def take_turns(spec: RunSpec, device: str, repeats: int) -> tuple[list[Turn], list[Turn]]:
    """Turns in this process and in children, one after the other, after an untimed one of each."""
    here, child = [], []
    with tempfile.TemporaryDirectory() as folder:
        sweep = Sweep([spec], [0], device, {}, RunStore(Path(folder)), Request())
        for number in range(repeats + 1):
            forget_compiled()
            if number == 1:
                gc.collect()
                gc.freeze()
            here.append(time_turn(_here, sweep))
            child.append(time_turn(_in_child, sweep))
    gc.unfreeze()
    return here[1:], child[1:]


def forget_compiled() -> None:
    """What this process has compiled must come from the disk again, as in a child."""
    import torch

    torch._dynamo.reset()


def time_turn(run: Callable[..., Iterator[RunResult]], sweep: Sweep) -> Turn:
    """One configuration from its start until all of it is over."""
    told: list[float] = []
    watched = replace(sweep, report=lambda *_progress: told.append(time.perf_counter()))
    began = time.perf_counter()
    (result,) = run(watched, sweep.specs[0], (0,), Interruption())
    wall_s = time.perf_counter() - began
    assert result.record.status == "ok", result.record.reason
    return Turn(wall_s, told[0] - began)


def row(head: str, here: Sequence[Turn], child: Sequence[Turn]) -> str:
    """A line of the table: medians, their lowest and highest beside them."""
    here_s, child_s = [turn.wall_s for turn in here], [turn.wall_s for turn in child]
    cost_s = statistics.median(child_s) - statistics.median(here_s)
    ready_s = statistics.median(t.ready_s for t in child) - statistics.median(
        t.ready_s for t in here
    )
    cells = [f"{statistics.median(walls):.3f} s ({spread(walls)})" for walls in (here_s, child_s)]
    return f"{head} {cells[0]} | {cells[1]} | {cost_s:.3f} s | {ready_s:.3f} s |\n"


def spread(seconds: Sequence[float]) -> str:
    """The lowest and the highest."""
    return f"{min(seconds):.2f} to {max(seconds):.2f}"


if __name__ == "__main__":
    main()
