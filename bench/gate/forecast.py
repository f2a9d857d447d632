"""How long a gate will take, told before it measures."""

from collections.abc import Sequence
from typing import NamedTuple

from bench.gate.turns import SIDES, Workload

OVERHEAD = 1.15  # a turn takes longer than its steps: asking, the last one, answering
TRAINING_S = 2.0  # of a training for quality, beside its steps: data, warm-up, evaluation
OTHERS = 1.5  # three workers start on two cores, where two were timed


class ModelTimes(NamedTuple):
    """Seconds of a step of a model and of making it ready; steps of a training, None for none."""

    step_s: float
    ready_s: float
    steps: int | None


def forecast(
    costs: Sequence[ModelTimes],
    workload: Workload,
    start_s: float,
    num_pairs: int,
    num_trainings: int,
) -> str:
    """About how long what follows will take, and how long where all must be done twice.

    Args:
        costs: of each model.
        workload: number and length of turns.
        start_s: that the workers of two sides took to start.
        num_pairs: of a round; 0 where speed is not measured.
        num_trainings: of each model, both sides together; 0 where there are none.
    """
    pairs_s = num_pairs * (OTHERS * start_s + sum(_turns_s(cost, workload) for cost in costs))
    trainings_s = sum(
        start_s + num_trainings * (cost.step_s * cost.steps + TRAINING_S)
        for cost in costs
        if num_trainings and cost.steps
    )
    number = f"{len(costs)} model{'' if len(costs) == 1 else 's'}"
    once, twice = (duration(times * (pairs_s + trainings_s)) for times in (1, 2))
    return f"{number}: about {once}, {twice} if all must be measured again"


def duration(seconds: float) -> str:
    """Seconds as a person says them, to five: 45 s, 2 min 5 s."""
    minutes, rest = divmod(5 * round(seconds / 5), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _turns_s(cost: ModelTimes, workload: Workload) -> float:
    """Seconds of one model in one set of workers."""
    turn_s = max(workload.turn_s, cost.step_s) * OVERHEAD
    return len(SIDES) * (cost.ready_s + workload.rounds * turn_s)
