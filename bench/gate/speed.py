"""The speed of both commits: fresh workers of base, head and base again take turns.

A round of pairs, each from three new processes, and one more round of the models that the first
shows as slower or leaves in doubt.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench.gate.process import Process, WorkerError, in_workers
from results.gate.pairs import AGAIN, BASE, HEAD, Pair, SpeedRule, percent, unsettled

TURN_S, ROUNDS = 0.15, 9
SIDES = (BASE, HEAD, AGAIN)
# Each side is as often first, second and third in three rounds, so that a drift of the machine
# cancels, and none has two turns in a row: it would find its own data in the caches.
ORDERS = ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2))


@dataclass(frozen=True)
class Workload:
    """What every turn trains."""

    plans: Mapping[str, str]  # by model, pinned for both commits
    device: str
    settings: Sequence[str] = ()  # of the recipe
    turn_s: float = TURN_S  # at least, on the base
    rounds: int = ROUNDS  # in each of which every worker takes a turn


class Speed(NamedTuple):
    """Pairs by model of the first round and of the one that confirms; failed models have none."""

    first: dict[str, list[Pair]]
    second: dict[str, list[Pair]]
    failures: dict[str, WorkerError]


def measure_speed(
    trees: Mapping[str, Path],
    workload: Workload,
    models: Sequence[str],
    rule: SpeedRule,
    logs: Path,
    say: Callable[[str], None],
) -> Speed:
    """Take as many pairs as the rule wants, and as many again of the models that it doubts.

    Raises:
        WorkerError: a commit's workers cannot start.
    """
    failures: dict[str, WorkerError] = {}

    def round_of(names: Sequence[str], numbers: range) -> dict[str, list[Pair]]:
        found: dict[str, list[Pair]] = {model: [] for model in names}
        for number in numbers:
            pairs, failed = take_pairs(trees, workload, [*found], number, logs)
            failures.update(failed)
            found = {m: [*taken, pairs[m]] for m, taken in found.items() if m not in failed}
            changes = (f"{model} {percent(pair.change)}" for model, pair in pairs.items())
            say(f"pair {number - numbers.start + 1} of {len(numbers)}: {', '.join(changes)}")
        return found

    count = rule.num_pairs(len(models))
    first = round_of(models, range(count))
    doubted = unsettled(first, rule)
    if doubted:
        say(f"measuring again, to be sure: {', '.join(doubted)}")
    second = round_of(doubted, range(count, 2 * count)) if doubted else {}
    return Speed({m: pairs for m, pairs in first.items() if m not in failures}, second, failures)


def take_pairs(
    trees: Mapping[str, Path], workload: Workload, models: Sequence[str], number: int, logs: Path
) -> tuple[dict[str, Pair], dict[str, WorkerError]]:
    """Take a pair of each model from three fresh workers; return pairs and failures by model.

    The number of the pair, from 0, says in which order they start and take their turns.

    Raises:
        WorkerError: one of them cannot start.
    """
    ordered = {SIDES[place]: trees[SIDES[place]] for place in ORDERS[number % len(ORDERS)]}
    return in_workers(ordered, models, logs, partial(_take_turns, workload=workload))


def _take_turns(running: Sequence[Process], model: str, workload: Workload) -> Pair:
    """Take rounds of one model, a turn of every worker in each, in one order after the other.

    The number of steps is what the base needs to fill a turn; both commits then do the same work.
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
    """Make a model ready in a worker, and return `steps` that fill a turn, and `step_s`."""
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
    """Return the seconds a step that a worker answered with.

    Raises:
        WorkerError: they are none.
    """
    if isinstance(answer, float) and 0 < answer < math.inf:
        return answer
    raise WorkerError(side, f"it said {answer!r} where seconds a step were asked for")
