"""Learning-rate schedules over the fraction of the budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.schedule import SCHEDULES, learning_rate_at

names = st.sampled_from(sorted(SCHEDULES))
warmups = st.floats(0, 0.99)


@pytest.mark.parametrize(
    ("schedule", "fraction", "rate"),
    [
        ("constant", 0.0, 0.1),
        ("constant", 0.1, 0.55),
        ("constant", 0.2, 1.0),
        ("constant", 1.0, 1.0),
        ("linear", 0.2, 1.0),
        ("linear", 0.6, 0.5),
        ("linear", 1.0, 0.0),
        ("cosine", 0.2, 1.0),
        ("cosine", 0.4, 0.5 + 0.5 * 2**-0.5),
        ("cosine", 0.6, 0.5),
        ("cosine", 1.0, 0.0),
    ],
)
def test_values_after_a_warm_up_of_a_fifth(schedule: str, fraction: float, rate: float) -> None:
    found = learning_rate_at(fraction, schedule=schedule, warmup=0.2, peak=3.0)
    assert found == pytest.approx(3.0 * rate, abs=1e-12)


@given(names)
def test_without_warm_up_it_begins_at_the_peak(schedule: str) -> None:
    assert learning_rate_at(0.0, schedule=schedule, warmup=0.0, peak=0.5) == 0.5


@given(names, warmups, st.floats(0, 2))
def test_it_stays_between_zero_and_the_peak(schedule: str, warmup: float, fraction: float) -> None:
    rate = learning_rate_at(fraction, schedule=schedule, warmup=warmup, peak=2.0)
    assert -1e-12 <= rate <= 2.0 + 1e-12


@given(names, warmups, st.floats(0, 1), st.floats(0, 1))
def test_it_rises_to_the_end_of_the_warm_up_and_never_after(
    schedule: str, warmup: float, one: float, two: float
) -> None:
    early, late = sorted((one, two))
    at_early, at_late = (
        learning_rate_at(at, schedule=schedule, warmup=warmup, peak=1.0) for at in (early, late)
    )
    if late < warmup:
        assert at_early <= at_late + 1e-12
    elif early >= warmup:
        assert at_early >= at_late - 1e-12
