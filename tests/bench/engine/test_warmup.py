"""A run with warm-up trains exactly like one without."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bench.engine.engine import StepEngine
from bench.engine.warmup import (
    MAX_STEPS,
    MIN_STEPS,
    Learner,
    fill_tensors,
    named_tensors,
    refill,
    restored,
    time_group,
    warm_up,
)
from fmnist_models.users.unchanged import Attributes
from tests.bench.train.training_by_hand import (
    RECIPE,
    FakeClock,
    FakeEngine,
    flat_state,
    learner_of,
    make_engine,
    small_net,
    some_batches,
    tensors_in,
)
from tests.fmnist_models.nets_by_hand import Buffers

pytestmark = pytest.mark.usefixtures("one_thread")
ADAMW = replace(RECIPE, optimizer="adamw", weight_decay=0.01, augment=("flip", "shift2"))


def all_state(engine: StepEngine) -> list[Tensor]:
    """Whatever can change how a training goes on."""
    modes = torch.tensor([module.training for module in engine.model.modules()])
    return [
        flat_state(engine.model),
        *tensors_in(engine.optimizer.state_dict()["state"]),
        torch.get_rng_state(),
        engine.feed.generator.get_state(),
        modes,
    ]


def train_five_steps(engine: StepEngine) -> Tensor:
    return engine.run(some_batches(5), [0.01] * 5)


def random_batch() -> Tensor:
    return torch.randint(64, (8,))


@pytest.mark.parametrize("optimizer", ["adamw", "rmsprop", "muon"])
@pytest.mark.parametrize("done_before", [0, 2], ids=["fresh", "with optimizer state"])
def test_training_after_a_warm_up_is_training_without_one(done_before: int, optimizer: str) -> None:
    recipe = replace(ADAMW, optimizer=optimizer)
    states, losses = [], []
    for is_warmed in (False, True):
        engine = make_engine(small_net(dropout=0.5), recipe)
        for batch in some_batches(done_before):
            engine.run([batch], [0.01])
        if is_warmed:
            with restored(learner_of(engine)):
                before = flat_state(engine.model)
                warm_up(engine, random_batch, 0.01, FakeClock())
                assert not torch.equal(before, flat_state(engine.model))
        losses.append(train_five_steps(engine))
        states.append(all_state(engine))
    assert torch.equal(*losses)
    assert [*map(torch.equal, *states)] == [True] * len(states[0])


def test_gradients_of_a_warm_up_are_gone_and_the_settings_are_back() -> None:
    engine = make_engine(small_net(), replace(RECIPE, momentum=0.9))
    group, before = engine.optimizer.param_groups[0], tensors_in(dict(engine.optimizer.state))
    with restored(learner_of(engine)):
        engine.run([random_batch()], [0.5], [0.25])
        assert (group["lr"], group["momentum"]) == (0.5, 0.25)
    assert (group["lr"], group["momentum"]) == (0.1, 0.9)
    assert all(parameter.grad is None for parameter in engine.model.parameters())
    after = tensors_in(dict(engine.optimizer.state))
    assert [*map(id, after)] == [*map(id, before)]  # compiled steps and graphs hold on to them
    assert after
    assert not any(tensor.any() for tensor in after)


def test_state_that_was_made_inside_is_taken_away() -> None:
    model = small_net()
    optimizer = torch.optim.AdamW(model.parameters())
    with restored(Learner(model, optimizer, torch.Generator())):
        make_engine(model, ADAMW)
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        assert optimizer.state
    assert optimizer.state_dict()["state"] == {}


def test_a_plan_that_fails_half_way_leaves_nothing_behind() -> None:
    engine = make_engine(small_net(dropout=0.5), ADAMW)
    before = [tensor.clone() for tensor in all_state(engine)]

    def fail_half_way() -> None:
        with restored(learner_of(engine)):
            train_five_steps(engine)
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail_half_way()
    assert [*map(torch.equal, before, all_state(engine))] == [True] * len(before)


def test_buffers_come_back_though_a_memory_format_replaced_them() -> None:
    model = torch.nn.Module()
    model.register_buffer("maps", torch.zeros(2, 3, 4, 4))
    weight = torch.nn.Parameter(torch.zeros(1))
    model.register_parameter("weight", weight)
    with restored(Learner(model, torch.optim.SGD([weight], lr=0.1), torch.Generator())):
        model.to(memory_format=torch.channels_last)
        model.get_buffer("maps").add_(1)
    assert not model.get_buffer("maps").any()


def test_buffers_that_a_pass_makes_or_replaces_come_back_as_they_were() -> None:
    engine = make_engine(Buffers())
    with restored(learner_of(engine)):
        train_five_steps(engine)
        assert engine.model.get_buffer("bank").shape == (40, 10)
    assert [name for name, _ in engine.model.named_buffers()] == [
        name for name, _ in Buffers().named_buffers()
    ]
    assert engine.model.get_buffer("bank").shape == (0, 10)


def test_values_are_put_into_buffers_that_have_another_shape_or_are_not_there() -> None:
    trained, model = Buffers(), Buffers()
    trained(torch.rand(4, 1, 8, 8))
    fill_tensors(model, named_tensors(trained))
    for name, tensor in named_tensors(trained).items():
        assert torch.equal(named_tensors(model)[name], tensor)
    trained(torch.rand(4, 1, 8, 8))
    assert model.get_buffer("bank").shape == (4, 10)  # values of its own


@pytest.mark.parametrize(
    ("values", "error"),
    [({}, "0.weight"), ({"0.weight": torch.zeros(3), "0.bias": torch.zeros(2)}, "not \\(3,\\)")],
)
def test_parameters_must_have_values_of_their_shape(values: dict[str, Tensor], error: str) -> None:
    with pytest.raises((KeyError, ValueError), match=error):
        fill_tensors(torch.nn.Sequential(torch.nn.Linear(2, 2)), values)


def test_a_refilled_net_is_as_one_that_was_built_anew() -> None:
    torch.manual_seed(0)
    model = Scaled()
    as_built = Attributes(model)
    make_engine(model).run(some_batches(3), [0.01] * 3)
    fresh = Scaled()
    as_built.put_back()
    refill(model, fresh)
    assert torch.equal(flat_state(model), flat_state(fresh))
    assert torch.equal(model.plain, fresh.plain)
    assert (model.scale, model.passes) == (fresh.scale, 0)


class Scaled(Buffers):
    """Draws a number and a plain tensor when it is built, and counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.scale, self.passes = torch.rand(3), float(torch.rand(())), 0

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        self.passes += 1
        return super().forward(x * self.scale)


@pytest.mark.parametrize(
    ("cost_s", "steps"), [(1e-6, MAX_STEPS), (0.01, 20), (1.0, MIN_STEPS), (0.15, MIN_STEPS)]
)
def test_the_warm_up_is_long_enough_and_no_longer(cost_s: float, steps: int) -> None:
    clock = FakeClock()
    engine = FakeEngine(clock, lambda _step: cost_s)
    assert warm_up(engine, random_batch, 0.5, clock) == pytest.approx(cost_s)
    assert len(engine.rates) == pytest.approx(steps, abs=1)
    assert set(engine.rates) == {0.5}


def test_the_first_step_which_compiles_is_not_in_the_prediction() -> None:
    clock = FakeClock(lag=1)
    costs = {1: 30.0, 2: 0.09, 3: 0.11, 4: 0.1}
    predicted = warm_up(FakeEngine(clock, costs.__getitem__), random_batch, 0.1, clock)
    assert predicted == pytest.approx(0.1)


@pytest.mark.parametrize("lag", [0, 1])
def test_a_timed_step_waits_for_the_device_on_both_sides(lag: int) -> None:
    clock = FakeClock(lag)
    clock.work(5.0)
    engine = FakeEngine(clock, lambda _step: 0.25)
    assert time_group(engine, [random_batch()], 0.1, clock) == 0.25
