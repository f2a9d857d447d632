"""Learning-rate schedules over the fraction of the budget; those that torch has equal torch's."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import optim

from bench import Recipe
from bench.spec.recipe import CHOICES, RISING
from bench.train.schedule import learning_rate_at, momentum_at

names = st.sampled_from(CHOICES["schedule"])
warmups = st.floats(0, 0.99)


def recipe_with(schedule: str, *, warmup: float = 0.0, peak: float = 1.0) -> Recipe:
    return Recipe(
        name="mine",
        source="a test",
        learning_rate=peak,
        schedule=schedule,
        warmup_fraction=0.0 if schedule in RISING else warmup,
        epochs=25,
        schedule_epochs=5,
        base_learning_rate=peak / 10 if schedule.startswith("triangular") else None,
        validation_fraction=0.1,
    )


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
    found = learning_rate_at(recipe_with(schedule, warmup=0.2, peak=3.0), fraction)
    assert found == pytest.approx(3.0 * rate, abs=1e-12)


@given(names, warmups, st.floats(0, 2))
def test_it_stays_between_zero_and_the_peak(schedule: str, warmup: float, fraction: float) -> None:
    rate = learning_rate_at(recipe_with(schedule, warmup=warmup, peak=2.0), fraction)
    assert -1e-12 <= rate <= 2.0 + 1e-12


def by_torch(
    optimizer: optim.Optimizer, scheduler: optim.lr_scheduler.LRScheduler, steps: int
) -> list[tuple[float, float]]:
    """Rate and momentum before each step of torch's own scheduler."""
    found = []
    for _ in range(steps):
        group = optimizer.param_groups[0]
        found.append((group["lr"], group["momentum"]))
        optimizer.step()
        scheduler.step()
    return found


def sgd(rate: float, momentum: float) -> optim.SGD:
    return optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate, momentum=momentum)


@pytest.mark.parametrize("mode", ["triangular", "triangular2"])
def test_the_cyclic_ones_equal_those_of_torch_stepped_once_an_epoch(
    mode: Literal["triangular", "triangular2"],
) -> None:
    recipe = replace(recipe_with(mode, peak=0.01), momentum=0.9, base_momentum=0.8)
    optimizer = sgd(1e-4, 0.8)  # R1's own values, which CyclicLR overwrites
    cyclic = optim.lr_scheduler.CyclicLR(optimizer, 0.001, 0.01, step_size_up=5, mode=mode)
    steps = 120
    for epoch, expected in enumerate(by_torch(optimizer, cyclic, 25)):
        for fraction in (epoch * steps / (25 * steps), (epoch * steps + steps - 1) / (25 * steps)):
            found = learning_rate_at(recipe, fraction), momentum_at(recipe, fraction)
            assert found == pytest.approx(expected, abs=1e-12)


def test_the_effective_schedule_of_r1_is_the_table_of_its_description() -> None:
    from bench.spec.named_recipes import R1_RESNET50

    rates = [learning_rate_at(R1_RESNET50, epoch / 25) for epoch in range(25)]
    expected = {0: 0.001, 5: 0.010, 10: 0.001, 15: 0.0055, 20: 0.001, 24: 0.0028}
    assert {epoch: pytest.approx(rates[epoch], abs=1e-12) for epoch in expected} == expected
    assert momentum_at(R1_RESNET50, 0.0) == pytest.approx(0.9)
    assert momentum_at(R1_RESNET50, 5 / 25) == pytest.approx(0.8)


def test_steps_equal_those_of_torch() -> None:
    recipe = recipe_with("step", peak=0.1)
    optimizer = sgd(0.1, 0.0)
    drops = optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=recipe.schedule_factor)
    for epoch, (rate, _) in enumerate(by_torch(optimizer, drops, 25)):
        assert learning_rate_at(recipe, epoch / 25) == pytest.approx(rate, rel=1e-12)


def test_one_cycle_equals_that_of_torch() -> None:
    recipe = replace(recipe_with("one_cycle", peak=0.1), momentum=0.95, base_momentum=0.85)
    optimizer, steps = sgd(0.1, 0.95), 101
    torchs = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=steps)
    table = by_torch(optimizer, torchs, steps - 1)
    for step, expected in enumerate(table):
        at = step / (steps - 1)  # torch ends its rise at 0.3 x steps - 1, ours at 0.3
        shifted = at * 0.3 / ((0.3 * steps - 1) / (steps - 1)) if at < 0.29 else None
        if shifted is not None:
            found = learning_rate_at(recipe, shifted), momentum_at(recipe, shifted)
            assert found == pytest.approx(expected, rel=1e-6)
    assert learning_rate_at(recipe, 0.3) == pytest.approx(0.1)
    assert learning_rate_at(recipe, 1.0) == pytest.approx(0.1 / 25e4)


def test_momentum_stays_where_no_lowest_is_given() -> None:
    assert momentum_at(replace(recipe_with("triangular"), momentum=0.7), 0.2) == 0.7
