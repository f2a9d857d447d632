"""Pauses of a training, off the clock: epochs, saved models, what validation decides."""

from dataclasses import replace
from functools import partial

import pytest
from torch import nn

from bench.train.control import Control
from bench.train.training import Pauses
from tests.bench.train.training_by_hand import RECIPE, HandScores, Rig, make_rig


@pytest.fixture(params=[0, 1], ids=["cpu", "cuda-like"])
def lag(request: pytest.FixtureRequest) -> int:
    return int(request.param)


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
