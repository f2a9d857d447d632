"""The training loop with a fake device: windows, legs, pauses, budgets, losses."""

from dataclasses import replace
from functools import partial

import pytest
from torch import nn

from bench.errors import RunError
from bench.train.control import Control
from bench.train.pacing import CHUNK_S
from bench.train.training import Pauses, Progress
from tests.bench.train.training_by_hand import RECIPE, STEP_S, WATTS, HandScores, Rig, make_rig


@pytest.fixture(params=[0, 1], ids=["cpu", "cuda-like"])
def lag(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_a_training_leaves_every_step_in_its_trace(lag: int) -> None:
    rig = make_rig(lag=lag, num_images=73)  # 8 steps an epoch, the last of 3 images
    trace = rig.training.run()
    assert rig.engine.rates == trace.learning_rates == [step / 96 for step in range(96)]
    assert trace.losses == list(range(1, 97))
    assert trace.chunk_steps == [3, 3, 2] * 12  # short, and they end with the epoch
    assert trace.chunk_seconds == [STEP_S * steps for steps in trace.chunk_steps]
    assert (trace.steps, trace.images_seen) == (96, 12 * 73)
    assert trace.seconds_in_steps == (0.0 if lag else 1.5)  # those of the host
    assert make_rig("7steps", num_images=73).training.run().images_seen == 70


def test_chunks_hold_whole_groups(lag: int) -> None:
    rig = make_rig(lag=lag)
    rig.engine.group_steps = 2  # three steps would fit a chunk
    assert rig.training.run().chunk_steps == [2] * 48
    rig = make_rig(lag=lag)
    rig.engine.group_steps = 5
    assert rig.training.run().chunk_steps == [5] * 19 + [1]
    rig = make_rig(lag=lag, step_s=0.005, cost_of=lambda _step: 0.005)
    rig.engine.group_steps = 4  # ten steps would fit a chunk
    assert rig.training.run().chunk_steps == [8] * 12


def test_the_curve_is_drawn_at_its_fractions(lag: int) -> None:
    asked: list[int] = []
    rig = make_rig(lag=lag, curve_fractions=(0.1, 0.5, 1.0))

    def validate() -> HandScores:
        asked.append(len(rig.engine.rates))
        return HandScores(len(asked) / 10)

    rig.training.validate = validate
    curve = rig.training.run().curve
    assert asked == [10, 48, 96]  # 9.6 steps are not reached by 9
    assert [point.budget_fraction for point in curve] == [0.1, 0.5, 1.0]
    assert [point.images_seen for point in curve] == [100, 480, 960]
    assert [point.train_seconds for point in curve] == [10 * STEP_S, 0.75, 1.5]
    assert [point.validation_accuracy for point in curve] == [0.1, 0.2, 0.3]


def test_a_curve_without_the_end_trains_to_the_end() -> None:
    rig = make_rig(curve_fractions=(0.5,), validate=lambda: HandScores(0.5))
    trace = rig.training.run()
    assert (trace.steps, len(trace.curve)) == (96, 1)


def test_evaluation_is_not_on_the_clock(lag: int) -> None:
    rig = make_rig(lag=lag, curve_fractions=(0.5, 1.0))
    rig.training.validate = rig.clock.slow_validation
    trace = rig.training.run()
    meters = rig.training.meters
    assert rig.clock.host_s == pytest.approx(201.5)
    assert meters.seconds == pytest.approx(1.5)
    assert sum(trace.chunk_seconds) == pytest.approx(1.5)
    assert meters.joules == pytest.approx(WATTS * 1.5)
    assert (rig.memory.num_opened, rig.memory.num_closed) == (2, 2)


def test_evaluation_spends_nothing_of_a_seconds_budget(lag: int) -> None:
    rig = make_rig("1.5s", lag=lag, curve_fractions=(0.25, 0.5, 1.0))
    rig.training.validate = rig.clock.slow_validation
    assert rig.training.run().steps == pytest.approx(96, abs=3)


def test_a_queue_is_drained_only_where_a_leg_begins_and_ends() -> None:
    rig = make_rig(lag=1, curve_fractions=(0.5, 1.0), validate=lambda: HandScores(0.5))
    rig.training.run()
    assert len(rig.engine.chunks) == 32
    assert rig.clock.num_synchronized == 4


def test_a_queue_is_never_empty_inside_a_leg() -> None:
    ahead: list[float] = []

    def cost_of(_step: int) -> float:
        ahead.append(rig.clock.device_s - rig.clock.host_s)
        return STEP_S

    rig = make_rig(lag=1, cost_of=cost_of)
    rig.training.run()
    assert min(ahead[3:]) >= STEP_S  # all but the first chunk found the device at work


@pytest.mark.parametrize("step", [1, 4, 96])
def test_divergence_is_found_at_its_step(lag: int, step: int) -> None:
    rig = make_rig(lag=lag, not_finite_at=step)
    with pytest.raises(RunError, match=f"nan at step {step}$") as caught:
        rig.training.run()
    assert caught.value.status == "diverged"
    assert rig.training.trace.steps >= step
    assert len(rig.engine.rates) <= rig.training.trace.steps + 3 * lag


def test_an_engine_that_raises_leaves_the_meters_closed() -> None:
    def cost_of(step: int) -> float:
        if step == 49:
            raise MemoryError
        return STEP_S

    rig = make_rig(cost_of=cost_of)
    with pytest.raises(MemoryError):
        rig.training.run()
    assert rig.memory.num_closed == 1
    assert (rig.training.trace.steps, rig.training.meters.seconds) == (48, 0.75)


@pytest.mark.parametrize(("budget", "seconds"), [("2s", 2.0), ("400J", 2.0)])
@pytest.mark.parametrize("first_guess", [0.001, STEP_S, 0.2])
def test_a_measured_budget_stops_within_a_chunk(
    lag: int, budget: str, seconds: float, first_guess: float
) -> None:
    rig = make_rig(budget, lag=lag, step_s=first_guess)
    trace = rig.training.run()
    chunk_s = max(trace.chunk_seconds[1 + lag :])  # the first ones trust the guess
    assert chunk_s <= CHUNK_S * 1.001
    assert rig.training.meters.seconds == pytest.approx(seconds, abs=chunk_s * 1.001)
    if not lag:  # read after every chunk: never short of the budget
        assert rig.training.meters.seconds >= seconds


def test_chunks_follow_steps_that_get_slower() -> None:
    rig = make_rig("2s", cost_of=lambda step: 0.005 if step <= 100 else 0.025)
    chunks = rig.training.run().chunk_steps
    assert max(chunks[1:10]) == 10
    assert max(chunks[-10:]) == 2


def test_progress_is_reported_once_a_chunk() -> None:
    seen: list[Progress] = []
    make_rig(report=seen.append).training.run()
    assert [report.images_seen for report in seen] == list(range(30, 961, 30))
    assert [report.fraction for report in seen] == pytest.approx([n / 32 for n in range(1, 33)])
    assert [report.loss for report in seen] == [3.0 * n for n in range(1, 33)]
    assert seen[-1].seconds == 1.5


def test_a_turn_is_a_leg_with_seconds_and_images_of_its_own(lag: int) -> None:
    rig = make_rig(lag=lag)
    turns = [rig.training.run_turn(number / 3) for number in (1, 2, 3)]
    assert turns == [(32 * STEP_S, 320)] * 3
    assert rig.engine.rates == [step / 96 for step in range(96)]
    assert rig.memory.num_opened == rig.memory.num_closed == 3


def test_a_training_pauses_at_epochs_steps_and_seconds(lag: int) -> None:
    for pauses, expected in (
        (Pauses(at_epochs=True), [8, 16, 24, 24]),
        (Pauses(every_steps=5), [5, 10, 15, 20, 24]),
        (Pauses(at_epochs=True, every_steps=6), [6, 8, 12, 16, 18, 24, 24]),
    ):
        rig = make_rig("24steps", lag=lag, num_images=73)  # 8 steps an epoch
        seen: list[int] = []
        rig.training.pauses = pauses
        rig.training.on_pause = partial(_note, rig, seen)
        rig.training.run()
        assert seen == expected
        assert rig.engine.rates == [step / 24 for step in range(24)]
    rig = make_rig("64steps", lag=0)
    rig.training.pauses = Pauses(every_s=0.25)
    seconds: list[float] = []
    rig.training.on_pause = lambda: seconds.append(rig.training.meters.seconds)
    rig.training.run()
    assert seconds == [0.28125, 0.5625, 0.84375, 1.0]  # six chunks of three steps of 1/64 s


def _note(rig: Rig, seen: list[int]) -> None:
    assert rig.memory.num_opened == rig.memory.num_closed  # no window is open
    seen.append(rig.training.trace.steps)


def test_the_control_looks_at_each_epoch_scales_the_rate_and_ends(lag: int) -> None:
    recipe = replace(
        RECIPE, schedule="plateau", schedule_patience=0, stop_patience=2, validation_fraction=0.1
    )
    rig = make_rig("80steps", lag=lag, num_images=73)
    losses = iter((1.0, 2.0, 3.0))
    rig.training.validate = lambda: HandScores(0.5, next(losses))
    rig.training.control = Control(recipe, nn.Linear(1, 1))
    rig.training.pauses = Pauses(at_epochs=True)
    trace = rig.training.run()
    assert trace.steps == 24  # two epochs without a better loss
    assert [point.validation_loss for point in trace.curve] == [1.0, 2.0, 3.0]
    plain = [step / 80 for step in range(24)]
    assert rig.engine.rates == pytest.approx([*plain[:16], *(0.1 * rate for rate in plain[16:])])


def test_an_epoch_cut_short_is_looked_at_as_well() -> None:
    recipe = replace(RECIPE, selection="accuracy", validation_fraction=0.1)
    rig = make_rig("12steps", num_images=73)
    rig.training.validate = lambda: HandScores(len(rig.engine.rates) / 100)
    rig.training.control = Control(recipe, nn.Linear(1, 1))
    rig.training.pauses = Pauses(at_epochs=True)
    curve = rig.training.run().curve
    assert [point.images_seen for point in curve] == [73, 113]
    assert rig.training.control.best is not None
    assert rig.training.control.best.epoch == pytest.approx(113 / 73)


def test_momentum_goes_to_the_engine_a_step_each() -> None:
    rig = make_rig("6steps")
    rig.training.momentum_at = lambda fraction: 1.0 - fraction
    rig.training.run()
    assert rig.engine.momenta == pytest.approx([1.0 - step / 6 for step in range(6)])
