"""The budget: reading, writing, and how many steps it pays for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import Budget, UsageError
from bench.spec.budget import UNITS

WHOLE = ("steps", "images")
amounts = st.floats(min_value=0, max_value=1e30, exclude_min=True)
wholes = st.integers(min_value=1, max_value=2**53).map(float)
budgets = st.one_of(
    st.builds(Budget, amounts, st.sampled_from([unit for unit in UNITS if unit not in WHOLE])),
    st.builds(Budget, wholes, st.sampled_from(WHOLE)),
)
batch_sizes = st.integers(1, 300)


@given(budgets)
def test_what_is_written_reads_back_the_same(budget: Budget) -> None:
    assert Budget.parse(str(budget)) == budget


@pytest.mark.parametrize(
    ("text", "amount", "unit", "canonical"),
    [
        ("3epochs", 3, "epochs", "3epochs"),
        ("  3  epochs ", 3, "epochs", "3epochs"),
        ("1epoch", 1, "epochs", "1epochs"),
        ("1 step", 1, "steps", "1steps"),
        ("1image", 1, "images", "1images"),
        ("0.5epochs", 0.5, "epochs", "0.5epochs"),
        ("60s", 60, "s", "60s"),
        ("1e3s", 1000, "s", "1000s"),
        ("2e15flops", 2e15, "flops", "2e15flops"),
        ("2E+15flop", 2e15, "flops", "2e15flops"),
        ("500J", 500, "J", "500J"),
        ("180000images", 180_000, "images", "180000images"),
        ("5min", 300, "s", "300s"),
        ("1.5 h", 5400, "s", "5400s"),
        ("90 seconds", 90, "s", "90s"),
        (".5Epochs", 0.5, "epochs", "0.5epochs"),
        ("1_000steps", 1000, "steps", "1000steps"),
        ("2PFLOPs", 2e15, "flops", "2e15flops"),
        ("1kJ", 1000, "J", "1000J"),
        ("1.1h", 3960, "s", "3960s"),  # the same budget as 66min, to the bit
        ("8.2PFLOPs", 8.2e15, "flops", "8.2e15flops"),
        ("90000ms", 90, "s", "90s"),
    ],
)
def test_every_spelling(text: str, amount: float, unit: str, canonical: str) -> None:
    budget = Budget.parse(text)
    assert (budget.amount, budget.unit, str(budget)) == (amount, unit, canonical)


def test_what_is_no_budget_is_refused_in_one_line() -> None:
    for text in (
        *("3parsecs", "-1s", "0s", "0epochs", "nans", "nan", "inf", "infs", "1e999s", "1.5steps"),
        *("2.5images", "", " ", "epochs", "3", "3 4s", "3s4", "٣epochs", "3epochs\n4", "1e", "s3"),
        *("0x3s", "3,5s", "5m", "5mJ", "1__0s", "3 %", "5minutesteps"),
    ):
        with pytest.raises(UsageError) as caught:
            Budget.parse(text)
        assert len(str(caught.value).splitlines()) == 1, text


def test_an_amount_must_be_positive_and_finite() -> None:
    for amount in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match="positive number"):
            Budget(amount, "s")


def test_the_unit_must_be_known() -> None:
    with pytest.raises(UsageError, match="unknown budget unit 'hours'; write for example 3epochs"):
        Budget(1, "hours")


def test_only_seconds_and_joules_are_not_counted() -> None:
    assert {unit for unit in UNITS if not Budget(1, unit).is_counted} == {"s", "J"}


@pytest.mark.parametrize(
    ("text", "images_per_epoch", "steps"),
    [
        ("3epochs", 54_000, 3 * 422),  # ragged: 421.875 batches of 128
        ("3epochs", 53_888, 3 * 421),  # ragged batch dropped
        ("0.1epochs", 54_000, 43),  # 5,400 images
        ("1.5epochs", 54_000, 422 + 211),
        ("1000steps", 54_000, 1000),
        ("1images", 54_000, 1),
        ("54000images", 54_000, 422),
        ("54001images", 54_000, 423),
        ("128images", 54_000, 1),
        ("129images", 54_000, 2),
        ("1e6flops", 54_000, 8),  # 1,000 images at 1,000 FLOPs
    ],
)
def test_steps_of_a_budget(text: str, images_per_epoch: int, steps: int) -> None:
    budget = Budget.parse(text)
    found = budget.total_steps(
        batch_size=128, images_per_epoch=images_per_epoch, flops_per_image=1000.0
    )
    assert found == steps


def test_a_product_a_hair_above_a_whole_number_costs_no_further_step() -> None:
    assert 0.56 * 54_000 > 30_240
    assert Budget(0.56, "epochs").total_steps(batch_size=32, images_per_epoch=54_000) == 945


@pytest.mark.parametrize("text", ["5s", "5J"])
def test_a_measured_budget_has_no_steps_in_advance(text: str) -> None:
    with pytest.raises(ValueError, match="no number of steps"):
        Budget.parse(text).total_steps(batch_size=1, images_per_epoch=1, flops_per_image=1.0)


def paid_images(steps: int, batch_size: int, images_per_epoch: int) -> int:
    full_epochs, rest = divmod(steps, math.ceil(images_per_epoch / batch_size))
    return full_epochs * images_per_epoch + min(rest * batch_size, images_per_epoch)


@given(st.integers(1, 10**6), batch_sizes, st.integers(1, 5000))
def test_images_are_paid_for_and_less_than_a_step_more(
    amount: int, batch_size: int, images_per_epoch: int
) -> None:
    budget = Budget(amount, "images")
    steps = budget.total_steps(batch_size=batch_size, images_per_epoch=images_per_epoch)
    paid = paid_images(steps, batch_size, images_per_epoch)
    assert paid >= amount
    assert paid_images(steps - 1, batch_size, images_per_epoch) < amount


@given(st.floats(1e-9, 100), batch_sizes, st.integers(1, 5000), st.floats(1, 1e9))
def test_fractions_of_an_epoch_and_flops_pay_for_what_they_say(
    amount: float, batch_size: int, images_per_epoch: int, flops: float
) -> None:
    sizes = {"batch_size": batch_size, "images_per_epoch": images_per_epoch}
    wanted = amount * images_per_epoch
    for budget in (Budget(amount, "epochs"), Budget(wanted * flops, "flops")):
        steps = budget.total_steps(**sizes, flops_per_image=flops)
        assert steps >= 1
        assert paid_images(steps, batch_size, images_per_epoch) >= wanted - 1e-5
        assert steps == 1 or paid_images(steps - 1, batch_size, images_per_epoch) < wanted + 1e-5
