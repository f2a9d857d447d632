"""Pacing: from a budget to chunks of steps and fractions."""

from itertools import cycle, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.train.pacing import CHUNK_S, Pacer, chunk_steps

step_costs = st.lists(st.floats(1e-4, 0.1), min_size=1, max_size=8)


def counted(steps: int) -> Pacer:
    return Pacer(limit=steps, per_step=1.0)


@given(st.integers(1, 500), st.integers(1, 60))
def test_a_counted_budget_gives_each_step_its_exact_fraction(steps: int, chunk: int) -> None:
    pacer, fractions = counted(steps), list[float]()
    while part := pacer.next_fractions(chunk):
        assert len(part) <= chunk
        fractions += part
    assert fractions == [step / steps for step in range(steps)]
    assert pacer.fraction == 1.0


@given(st.integers(1, 200), st.lists(st.floats(0, 1), max_size=5))
def test_stops_on_the_way_change_no_step(steps: int, stops: list[float]) -> None:
    pacer, fractions = counted(steps), list[float]()
    for stop in [*sorted(stops), 1.0]:
        while part := pacer.next_fractions(7, stop):
            assert part[-1] < stop
            fractions += part
    assert fractions == [step / steps for step in range(steps)]


@pytest.mark.parametrize(
    ("until", "count"), [(0.0, 0), (0.29, 3), (0.3, 3), (0.31, 4), (1.0, 10), (2.0, 10)]
)
def test_a_leg_ends_before_the_first_step_at_or_after_its_fraction(
    until: float, count: int
) -> None:
    pacer = counted(10)
    assert len(pacer.next_fractions(100, until)) == count
    assert pacer.next_fractions(100, until) == []


@given(step_costs, st.floats(1e-5, 1.0), st.floats(0.01, 0.5))
def test_a_measured_budget_overruns_by_less_than_a_chunk(
    costs: list[float], first_guess: float, limit: float
) -> None:
    pacer, cost_of, step_s = Pacer(limit=limit, per_step=first_guess), cycle(costs), first_guess
    spent, chunk_cost, chunks = 0.0, 0.0, 0
    while part := pacer.next_fractions(chunk_steps(step_s)):
        assert all(early <= late for early, late in pairwise(part))
        assert 0 <= part[0] <= part[-1] < 1
        chunk_cost = sum(next(cost_of) for _ in part)
        spent += chunk_cost
        chunks += 1
        pacer.observe(spent, len(part), 0)
        step_s = chunk_cost / len(part)
    assert limit <= spent < (limit + chunk_cost) * (1 + 1e-9)  # sums of floats
    assert chunks >= 1


@given(st.floats(1e-4, 0.02), st.floats(0.1, 1.0))
def test_a_right_prediction_overruns_by_less_than_a_step(cost: float, limit: float) -> None:
    pacer, spent = Pacer(limit=limit, per_step=cost), 0.0
    while part := pacer.next_fractions(chunk_steps(cost)):
        spent += cost * len(part)
        pacer.observe(spent, len(part), 0)
    assert limit <= spent < limit + cost * 1.001


def test_an_observation_moves_the_prediction_towards_the_newest_chunk() -> None:
    pacer = Pacer(limit=10.0, per_step=1.0)
    pacer.next_fractions(4)
    pacer.observe(spent=4.0 * 2.0, steps=4, ahead=0)
    assert 1.0 < pacer.per_step < 2.0
    assert pacer.fraction == 0.8


def test_steps_handed_out_after_the_reading_are_predicted() -> None:
    pacer = Pacer(limit=10.0, per_step=1.0)
    pacer.next_fractions(4)
    pacer.observe(spent=2.0, steps=2, ahead=2)
    assert (pacer.per_step, pacer.fraction) == (1.0, 0.4)
    pacer.observe(spent=3.0, steps=0, ahead=1)  # no step to learn from
    assert (pacer.per_step, pacer.fraction) == (1.0, 0.4)


@given(st.floats(1e-9, 10))
def test_a_chunk_is_predicted_to_take_no_more_than_its_time(step_s: float) -> None:
    steps = chunk_steps(step_s)
    assert steps == 1 or steps * step_s <= CHUNK_S * (1 + 1e-9)
    assert (steps + 1) * step_s > CHUNK_S * (1 - 1e-9)


def test_an_unknown_step_time_gives_one_step() -> None:
    assert chunk_steps(0.0) == 1
