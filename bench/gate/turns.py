"""Timing: fresh workers of base, head and base again take turns in every order."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bench.gate.process import MODULE, Process, WorkerDiedError, WorkerError
from results.gate.pairs import AGAIN, BASE, HEAD, Pair

Answer = TypeVar("Answer")
TURN_S, ROUNDS = 0.15, 9
SIDES = (BASE, HEAD, AGAIN)
# Each side is as often first, second and third in three rounds, so that a drift of the machine
# cancels, and none has two turns in a row: it would find its own data in the caches.
ORDERS = ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2))


@dataclass(frozen=True)
class Workload:
    """What every turn trains.

    Attributes:
        plans: by model, pinned for both commits.
        device: as torch names it.
        settings: of the recipe.
        turn_s: least seconds of a turn on the base.
        rounds: in each of which every worker takes a turn.
    """

    plans: Mapping[str, str]
    device: str
    settings: Sequence[str] = ()
    turn_s: float = TURN_S
    rounds: int = ROUNDS


@contextmanager
def started(trees: Mapping[str, Path], logs: Path, module: str = MODULE) -> Iterator[list[Process]]:
    """A fresh worker a side, started together and in this order; all are ended with the block.

    Raises:
        WorkerError: one of them cannot start.
    """
    running: list[Process] = []
    try:
        for side, tree in trees.items():
            running.append(Process.start(side, tree, logs / f"{side}.log", module))
        for place, (side, tree) in enumerate(trees.items()):
            try:
                running[place].ask("introduce")
            except WorkerDiedError:  # once may be the machine's doing
                running[place] = Process.start(side, tree, logs / f"{side}.log", module)
                running[place].ask("introduce")
        yield running
    finally:
        for process in running:
            process.stop()


def in_workers(
    trees: Mapping[str, Path],
    models: Sequence[str],
    logs: Path,
    action: Callable[[Sequence[Process], str], Answer],
    module: str = MODULE,
) -> tuple[dict[str, Answer], dict[str, WorkerError]]:
    """What an action gives for each model in fresh workers, and the models over which one failed.

    A worker that dies leaves the models behind to the next ones, and the model it died over too,
    once: it may be the machine's doing.

    Args:
        trees: folder by side.
        models: one after the other.
        logs: folder for what the workers write.
        action: is given the workers, in the order of the sides, and a model.
        module: of the workers.

    Raises:
        WorkerError: one of them cannot start.
    """
    answers: dict[str, Answer] = {}
    failures: dict[str, WorkerError] = {}
    left, again = list(models), set(models)
    while left:
        with started(trees, logs, module) as running:
            while left:
                model = left.pop(0)
                try:
                    answers[model] = action(running, model)
                except WorkerDiedError as error:
                    if model in again:
                        again.remove(model)
                        left.append(model)
                    else:
                        failures[model] = error
                    break
                except WorkerError as error:
                    failures[model] = error
    return answers, failures


def take_pairs(
    trees: Mapping[str, Path],
    workload: Workload,
    models: Sequence[str],
    number: int,
    logs: Path,
    module: str = MODULE,
) -> tuple[dict[str, Pair], dict[str, WorkerError]]:
    """A pair of each model from three fresh workers, and the models that failed.

    Args:
        trees: folder by side.
        workload: what they train.
        models: some of the workload's.
        number: of the pair, from 0; says in which order they start and take their turns.
        logs: folder for what the workers write.
        module: of the workers.

    Raises:
        WorkerError: one of them cannot start.
    """
    ordered = {SIDES[place]: trees[SIDES[place]] for place in ORDERS[number % len(ORDERS)]}
    return in_workers(ordered, models, logs, partial(take_turns, workload=workload), module)


def take_turns(running: Sequence[Process], model: str, workload: Workload) -> Pair:
    """Rounds of one model, every worker taking a turn in each, in one order after the other.

    The number of steps is what the base needs to fill a turn; both commits then do the same work.

    Raises:
        WorkerError: one of them failed.
    """
    ready = {process.side: prepare(process, model, workload) for process in running}
    steps = ready[BASE]["steps"]
    seconds: dict[str, list[float]] = {process.side: [] for process in running}
    for number in range(workload.rounds):
        for process in (running[place] for place in ORDERS[number % len(ORDERS)]):
            answer = process.ask("turn", model=model, steps=steps)
            seconds[process.side].append(checked_seconds(process.side, answer))
    for process in running:
        process.ask("drop", model=model)
    return Pair(tuple(seconds[BASE]), tuple(seconds[HEAD]), tuple(seconds[AGAIN]))


def prepare(process: Process, model: str, workload: Workload) -> dict[str, Any]:
    """Makes a model ready in a worker: `steps` that fill a turn, and `step_s`."""
    ready: dict[str, Any] = process.ask(
        "prepare",
        model=model,
        plan=workload.plans[model],
        device=workload.device,
        settings=list(workload.settings),
        turn_s=workload.turn_s,
    )
    checked_seconds(process.side, ready["step_s"])
    return ready


def checked_seconds(side: str, answer: object) -> float:
    """Seconds a step, as a worker said them.

    Raises:
        WorkerError: they are none.
    """
    if isinstance(answer, float) and 0 < answer < math.inf:
        return answer
    raise WorkerError(side, f"it said {answer!r} where seconds a step were asked for")
