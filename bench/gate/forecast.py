"""How long a gate will take, told before it measures."""

from collections.abc import Iterable

from bench.gate.turns import SIDES, Workload

OVERHEAD = 1.15  # seconds that are not in turns: asking, answering, dropping
EVALUATION_S = 2.0  # of a training for quality: data, warm-up, evaluation


def seconds_of_pairs(
    num_pairs: int, start_s: float, looks: Iterable[tuple[float, float]], workload: Workload
) -> float:
    """Seconds of a round of pairs.

    Args:
        num_pairs: fresh sets of workers.
        start_s: that a set takes to start.
        looks: seconds of a step, and of making ready in one worker, of each model.
        workload: length and number of turns.
    """
    turns = workload.rounds * len(SIDES)
    models_s = sum(
        len(SIDES) * ready_s + turns * max(workload.turn_s, step_s) * OVERHEAD
        for step_s, ready_s in looks
    )
    return num_pairs * (start_s + models_s)


def seconds_of_trainings(
    num_trainings: int, start_s: float, looks: Iterable[tuple[float, int]]
) -> float:
    """Seconds of the trainings for quality.

    Args:
        num_trainings: of each model, both sides together.
        start_s: that a pair of workers takes to start.
        looks: seconds and number of steps of a training of each model.
    """
    return sum(start_s + num_trainings * (step_s * steps + EVALUATION_S) for step_s, steps in looks)


def duration(seconds: float) -> str:
    """Seconds as a person says them, to five seconds: 45 s, 2 min 5 s."""
    minutes, rest = divmod(5 * round(seconds / 5), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
