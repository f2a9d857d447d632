"""The child of a rung: the steps of its turns, and what it tells about itself."""

import pytest

from bench import Budget, Plan
from bench.ladder.child import RungJob, fix_turns
from tests.bench.ladder.ladder_by_hand import SPEC
from tests.bench.train.training_by_hand import STEP_S, make_rig


def job(*, turn_s: float = 0.5, num_turns: int = 7) -> RungJob:
    return RungJob(SPEC, "cpu", None, turn_s, num_turns)


@pytest.mark.parametrize(
    ("plan", "steps"), [("resident", 39), ("step:5", 40), ("step,graph:8", 40)]
)
def test_a_turn_is_a_little_longer_than_asked_for_and_made_of_whole_calls(
    plan: str, steps: int
) -> None:
    rig = make_rig()
    assert fix_turns(rig.training, job(), Plan.parse(plan)) == steps  # 1.2 x 0.5 s / STEP_S = 38.4
    assert rig.training.budget == Budget(7 * steps, "steps")
    turns = [rig.training.run_turn(number / 7) for number in range(1, 8)]
    assert turns == [(steps * STEP_S, steps * 10)] * 7  # exact in binary


def test_a_disturbance_of_the_untimed_turn_makes_no_turn_too_short() -> None:
    rig = make_rig(cost_of=lambda step: STEP_S * (20 if step < 12 else 1), step_s=20 * STEP_S)
    fix_turns(rig.training, job(turn_s=10.0, num_turns=1), Plan())
    seconds, _ = rig.training.run_turn(1.0)
    assert seconds >= 10.0


def test_a_slow_step_makes_turns_of_one_step() -> None:
    rig = make_rig(cost_of=lambda _step: 2.0, step_s=2.0)
    assert fix_turns(rig.training, job(), Plan()) == 1
