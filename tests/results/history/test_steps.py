"""Steps in series: what is found and where, and how often there is one where there is none."""

import math
import random

import pytest

from results.history.steps import Step, _without_spikes, steps
from results.statistics import median

NOISE = 0.03


def noisy(generator: random.Random, *levels: tuple[int, float]) -> list[float]:
    """White noise of 3 % around levels, each for so many values."""
    return [generator.gauss(level, NOISE) for count, level in levels for _ in range(count)]


@pytest.mark.parametrize(("before", "after"), [(5, 5), (5, 15), (15, 5), (50, 50)])
@pytest.mark.parametrize("factor", [0.9, 1 / 0.9])  # a fall of 10 %, and all the way back
def test_a_step_of_a_tenth_is_found_where_it_is(before: int, after: int, factor: float) -> None:
    generator, height = random.Random(before * after), math.log(factor)
    histories = [noisy(generator, (before, 0.0), (after, height)) for _ in range(200)]
    hits = [
        any(abs(s.index - before) <= 2 and (s.after > s.before) == (height > 0) for s in steps(h))
        for h in histories
    ]
    assert sum(hits) >= (0.88 if before + after == 10 else 0.95) * len(hits)


def test_a_series_of_noise_hardly_ever_shows_a_step_in_110_nightly_looks() -> None:
    generator = random.Random(0)
    series = [noisy(generator, (120, 0.0)) for _ in range(25)]
    shown = [any(steps(one[:night]) for night in range(10, 121)) for one in series]
    assert sum(shown) <= 2


def test_a_fall_that_is_mended_is_found_with_both_of_its_edges() -> None:
    generator, height = random.Random(2), math.log(0.9)
    dips = [noisy(generator, (15, 0.0), (8, height), (15, 0.0)) for _ in range(100)]
    hits = [[abs(s.index - e) <= 2 for s, e in zip(steps(d), (15, 23), strict=False)] for d in dips]
    assert sum(hit == [True, True] for hit in hits) >= 90


def test_levels_without_noise_are_found_to_the_value() -> None:
    values = [0.0] * 7 + [0.5] * 6 + [0.2] * 9
    found = steps(values)
    assert [step.index for step in found] == [7, 13]
    assert [step.before for step in found] == pytest.approx([0.0, 0.5])
    assert [step.after for step in found] == pytest.approx([0.5, 0.2])


@pytest.mark.parametrize("place", [0, 3, 20, 57, 59])
def test_a_night_on_which_all_went_wrong_is_no_step(place: int) -> None:
    for values in (noisy(random.Random(1), (60, 0.0)), [0.0] * 60):
        for spike in (-3.0, 0.5, 40.0):
            values[place] = spike
            assert steps(values) == []


def test_a_value_may_be_off_by_four_standard_deviations_and_no_more() -> None:
    values = [0.0, 0.03] * 10  # gaps of 0.03: a standard deviation of 0.0315
    values[9] = 1.0
    kept = _without_spikes(values, 0.01)
    assert kept[9] == pytest.approx(median(values[7:12]) + 4 * 1.0484 * 0.03)
    assert kept[:9] + kept[10:] == values[:9] + values[10:]


def test_as_many_as_eight_steps_are_found() -> None:
    values = [float(level % 2) for level in range(9) for _ in range(6)]
    assert [step.index for step in steps(values)] == [6 * step for step in range(1, 9)]


def test_what_is_within_the_resolution_is_no_step() -> None:
    values = [0.0] * 10 + [0.004] * 10
    assert steps(values) == []
    assert steps(values, resolution=0.001) == [Step(10, 0.0, 0.004)]


def test_a_step_needs_five_values_on_either_side() -> None:
    assert steps([0.0] * 5 + [1.0] * 4) == []
    assert [step.index for step in steps([0.0] * 5 + [1.0] * 5)] == [5]
    assert steps([0.0] * 20 + [1.0] * 2) == []
    assert steps([]) == []
