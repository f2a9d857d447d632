"""Timing: fresh workers of base, head and base again take turns, forward and backward."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from bench.gate.process import MODULE, Process
from results.gate.pairs import AGAIN, BASE, HEAD, Pair
from results.statistics import median

TURN_S, ROUNDS = 0.15, 5
ORDERS = tuple(permutations((BASE, HEAD, AGAIN)))


@dataclass(frozen=True)
class Workload:
    """What every turn trains.

    Attributes:
        plans: by model, pinned for both commits.
        device: as torch names it.
        settings: of the recipe.
        turn_s: least seconds of a turn on the base.
        rounds: in each of which every worker takes two turns.
    """

    plans: Mapping[str, str]
    device: str
    settings: Sequence[str]
    turn_s: float = TURN_S
    rounds: int = ROUNDS


@contextmanager
def started(trees: Mapping[str, Path], logs: Path, module: str = MODULE) -> Iterator[list[Process]]:
    """A fresh worker a side, started together and in this order; all are ended with the block."""
    running: list[Process] = []
    try:
        for side, tree in trees.items():
            running.append(Process.start(side, tree, logs / f"{side}.log", module))
        for process in running:
            process.ask("introduce")
        yield running
    finally:
        for process in running:
            process.stop()


def take_pair(
    trees: Mapping[str, Path],
    workload: Workload,
    number: int,
    logs: Path,
    done: Callable[[str, Pair], None] = lambda _model, _pair: None,
) -> dict[str, Pair]:
    """Turns of each model in three workers that are new, and end with the pair.

    Args:
        trees: folder by side.
        workload: what they train.
        number: of the pair, from 0; says in which order they start and take their turns.
        logs: folder for what the workers write.
        done: told of each model's pair.

    Raises:
        WorkerError: one of them failed.
    """
    order = ORDERS[number % len(ORDERS)]
    pairs = {}
    with started({side: trees[side] for side in order}, logs) as running:
        for model in workload.plans:
            pairs[model] = take_turns(running, workload, model)
            done(model, pairs[model])
    return pairs


def take_turns(running: Sequence[Process], workload: Workload, model: str) -> Pair:
    """Rounds of one model: every worker in its order, then all backward, so that a drift cancels.

    The number of steps is what the base needs to fill a turn; both commits then do the same work.
    """
    ready = {
        process.side: process.ask(
            "prepare",
            model=model,
            plan=workload.plans[model],
            device=workload.device,
            settings=list(workload.settings),
            turn_s=workload.turn_s,
        )
        for process in running
    }
    steps = ready[BASE]["steps"]
    seconds: dict[str, list[float]] = {process.side: [] for process in running}
    for _ in range(workload.rounds):
        for process in (*running, *reversed(running)):
            chunks = process.ask("turn", model=model, steps=steps)
            seconds[process.side].append(step_seconds(chunks))
    for process in running:
        process.ask("drop", model=model)
    return Pair(tuple(seconds[BASE]), tuple(seconds[HEAD]), tuple(seconds[AGAIN]))


def step_seconds(chunks: Sequence[Sequence[float]]) -> float:
    """Seconds a step of a turn: the median of its chunks, as a disturbance is shorter than one."""
    return median([seconds for _, seconds in chunks])
