"""`--plan auto`: which plans are timed, how long, and which is taken."""

from collections.abc import Sequence

import pytest
from torch import nn

from bench import Budget, Plan
from bench.probe import CAP_S, ROUNDS, Candidate, candidate_plans, fastest, probe_seconds
from tests.training_by_hand import FakeClock, small_net

PLANS = (Plan(), Plan(memory_format="channels_last"), Plan(threads=1))
NEVER = 1e9


def probe(
    costs: Sequence[float], cap_s: float = NEVER, plans: Sequence[Plan] = PLANS
) -> tuple[Plan, list[Candidate], list[Plan]]:
    """Probes plans whose steps take those seconds."""
    clock, order = FakeClock(), list[Plan]()

    def time_steps(plan: Plan) -> list[float]:
        order.append(plan)
        cost = costs[plans.index(plan)]
        clock.work(2 * cost)
        return [cost, cost + order.count(plan)]  # only the first of all is the best

    plan, tried = fastest(plans, time_steps, clock.now, cap_s)
    return plan, tried, order


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_fastest_is_taken_and_all_are_told(best: int) -> None:
    costs = [2.0, 2.0, 2.0]
    costs[best] = 1.0
    plan, tried, order = probe(costs)
    assert plan == PLANS[best]
    assert [candidate.best_s for candidate in tried] == costs
    assert [len(candidate.step_seconds) for candidate in tried] == [2 * ROUNDS] * 3
    assert order == [*PLANS] * ROUNDS  # interleaved: a slow minute hits all alike


@pytest.mark.parametrize(("cap_s", "rounds"), [(0.0, 1), (5.9, 1), (6.1, 2), (13.0, 3)])
def test_no_round_begins_after_the_cap_and_the_first_is_whole(cap_s: float, rounds: int) -> None:
    _, tried, order = probe([1.0, 1.0, 1.0], cap_s)  # 6 s a round
    assert len(order) == 3 * rounds
    assert len(tried) == 3


def test_a_single_plan_is_taken_untimed() -> None:
    assert probe([1.0], plans=PLANS[:1]) == (PLANS[0], [], [])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 1.0), ("30s", 3.0), ("1e6s", CAP_S), ("3epochs", CAP_S), ("500J", CAP_S)],
)
def test_a_probe_takes_a_tenth_of_a_seconds_budget_at_most(text: str, seconds: float) -> None:
    assert probe_seconds(Budget.parse(text)) == seconds


@pytest.mark.parametrize("device_kind", ["cpu", "cuda"])
def test_convolutions_are_tried_in_both_memory_formats(device_kind: str) -> None:
    plans = candidate_plans(small_net(), device_kind)
    assert plans == (Plan(), Plan(memory_format="channels_last"))


def test_a_linear_net_is_tried_on_one_thread_of_a_cpu() -> None:
    net = nn.Linear(2, 2)
    assert candidate_plans(net, "cpu") == (Plan(), Plan(threads=1))
    assert candidate_plans(net, "cuda") == (Plan(),)


def test_what_was_tried_is_plain_and_short() -> None:
    plain = Candidate(Plan(threads=1), [0.123456789, 0.1]).as_plain()
    assert plain == {"plan": "resident,contiguous,eager,threads:1", "step_s": [0.123457, 0.1]}


def test_a_candidate_that_fails_falls_out_and_says_why() -> None:
    def time_steps(plan: Plan) -> list[float]:
        if plan.memory_format == "channels_last":
            raise RuntimeError("no such format\nand more")
        return [0.5]

    plans = (Plan(memory_format="channels_last"), Plan())
    chosen, tried = fastest(plans, time_steps, lambda: 0.0, 1.0)
    assert chosen == Plan()
    assert tried[0].as_plain()["error"] == "RuntimeError: no such format"


def test_where_every_candidate_fails_the_run_does() -> None:
    def time_steps(plan: Plan) -> list[float]:
        raise RuntimeError(plan.memory_format)

    with pytest.raises(RuntimeError, match="channels_last"):
        fastest((Plan(), Plan(memory_format="channels_last")), time_steps, lambda: 0.0, 1.0)
