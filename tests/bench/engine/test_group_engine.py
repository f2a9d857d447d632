"""Engines that take several steps a call: how chunks are cut, and what they hand over."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bench import Plan
from bench.engine.engine import MEMORY_FORMATS, Drawn, Feed
from bench.engine.group_engine import GroupEngine, groups
from bench.engine.optimizer import make_optimizer
from bench.engine.small_matmul import (
    FEW_COLUMNS,
    WRITTEN_OUT,
    decompositions,
    product,
    product_and_bias,
)
from bench.engine.warmup import restored
from bench.engine.whole_step import compile_tensors
from bench.machine.compilers import CompileCounts, compile_counts
from data_pipeline import parse_augmentation
from tests.bench.train.training_by_hand import (
    RECIPE,
    engine_of,
    flat_state,
    learner_of,
    random_split,
    small_net,
    some_batches,
)

ADAMW = replace(RECIPE, optimizer="adamw", weight_decay=0.01, augment=("flip",))
STEP = Plan(mode="step", steps_per_call=2)

pytestmark = pytest.mark.usefixtures("one_thread")


@given(st.lists(st.sampled_from([8, 8, 8, 3]), max_size=40), st.integers(1, 6))
def test_every_step_is_in_one_group_and_only_equals_share_one(sizes: list[int], most: int) -> None:
    found = list(groups(sizes, most))
    assert [step for first, count in found for step in range(first, first + count)] == list(
        range(len(sizes))
    )
    for first, count in found:
        assert count in {1, most}
        assert len(set(sizes[first : first + count])) == 1


def test_what_can_be_whole_is_whole() -> None:
    assert list(groups([8] * 7 + [3], 3)) == [(0, 3), (3, 3), (6, 1), (7, 1)]
    assert list(groups([8, 8, 3, 8, 8, 8], 3)) == [(0, 1), (1, 1), (2, 1), (3, 3)]


@dataclass
class Noted:
    """Notes the groups it is given; the loss of a step is its learning rate."""

    calls: list[tuple[int, int, int]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    @contextmanager
    def around(self) -> Iterator[None]:
        """Notes it."""
        self.events.append("begin")
        yield
        self.events.append("end")

    def run(self, indices: Sequence[Tensor], drawn: Sequence[Drawn], rates: Tensor) -> Tensor:
        """Notes steps, images and draws."""
        self.calls.append((len(indices), len(indices[0]), len(drawn[0])))
        return rates.clone()

    def reset(self) -> None:
        """Notes it."""
        self.events.append("reset")


def test_groups_get_their_batches_draws_and_rates() -> None:
    noted, model = Noted(), small_net()
    feed = Feed(
        random_split(),
        (parse_augmentation("flip"), parse_augmentation("shift1")),
        "unit",
        torch.Generator().manual_seed(0),
        MEMORY_FORMATS["contiguous"],
    )
    engine = GroupEngine(
        2, model, make_optimizer(RECIPE, model), feed, noted.run, noted.around, noted.reset
    )
    losses = engine.run(some_batches(5), [0.1, 0.2, 0.3, 0.4, 0.5])
    assert noted.calls == [(2, 8, 2), (2, 8, 2), (1, 8, 2)]
    assert losses.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    engine.reset()
    assert noted.events == ["begin", "end", "reset"]


def test_compiled_steps_take_no_momentum() -> None:
    engine = engine_of(small_net(), replace(RECIPE, momentum=0.9), STEP)
    with pytest.raises(AssertionError, match="holds the momentum"):
        engine.run(some_batches(1), [0.1], [0.8])


@pytest.mark.slow
def test_a_compiled_step_survives_a_warm_up_without_a_trace() -> None:
    nets = {}
    for is_warmed in (False, True):
        model = small_net()
        engine = engine_of(model, ADAMW, STEP)
        if is_warmed:
            with restored(learner_of(engine)):
                engine.run(some_batches(3), [0.05] * 3)
        losses = engine.run(some_batches(5), [0.01] * 5)
        nets[is_warmed] = (losses, flat_state(model))
    assert torch.equal(nets[False][0], nets[True][0])
    assert torch.equal(nets[False][1], nets[True][1])


@pytest.mark.slow
def test_a_shape_is_compiled_once() -> None:
    engine = engine_of(small_net(), ADAMW, STEP)
    before = compile_counts()
    engine.run([*some_batches(3), some_batches(1)[0][:3]], [0.01] * 4)
    met = compile_counts()
    assert met.since(before).compilations == 3  # two steps, one step, a ragged one
    engine.run([*some_batches(5), some_batches(1)[0][:3]], [0.02] * 6)
    assert compile_counts().since(met) == CompileCounts()


@pytest.mark.slow
def test_the_optimizer_knows_how_many_steps_it_has_done() -> None:
    engine = engine_of(small_net(), ADAMW, STEP)
    for _ in range(2):
        engine.run(some_batches(3), [0.01] * 3)
    states = engine.optimizer.state.values()  # type: ignore[attr-defined]
    assert {float(state["step"]) for state in states} == {6.0}


@pytest.mark.parametrize(
    ("rows", "depth", "columns"),
    [(32, 784, 10), (32, 10, 10), (10, 32, 10), (128, 64, FEW_COLUMNS), (7, 5, 3)],
)
def test_small_products_are_the_same_products(rows: int, depth: int, columns: int) -> None:
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(rows, depth, generator=generator, dtype=torch.float64)
    weight = torch.randn(columns, depth, generator=generator, dtype=torch.float64)
    bias = torch.randn(columns, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(product(left, weight.t()), left @ weight.t())
    found = product_and_bias(bias, left, weight.t())
    torch.testing.assert_close(found, torch.addmm(bias, left, weight.t()))


def test_large_products_are_left_to_the_library() -> None:
    left, right = torch.randn(64, 64), torch.randn(64, 64)
    assert left.numel() * 64 > WRITTEN_OUT
    assert product(left, right) is NotImplemented
    assert product_and_bias(torch.zeros(64), left, right) is NotImplemented
    assert product_and_bias(torch.zeros(3), left[:3, :3], right[:3, :3], beta=2) is NotImplemented


@pytest.mark.slow
def test_a_compiled_function_changes_its_arguments_in_place() -> None:
    def add_and_count(total: Tensor, value: Tensor) -> Tensor:
        total.add_(value)
        return total * 2

    total = torch.zeros(3)
    compiled = compile_tensors(add_and_count, [total, torch.ones(3)])
    with torch.no_grad():
        assert compiled(total, torch.ones(3)).tolist() == [2.0, 2.0, 2.0]
        assert compiled(total, torch.ones(3)).tolist() == [4.0, 4.0, 4.0]
    assert total.tolist() == [2.0, 2.0, 2.0]


def test_products_stay_as_they_are_where_the_compiler_would_write_beyond_its_buffers() -> None:
    # torch 2.12: step:2 of V0 ends with "corrupted size vs. prev_size"
    assert not decompositions("2.12.1+cu130")
    assert len(decompositions("2.14.0a0+git1234")) == 2
