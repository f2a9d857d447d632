"""Engines that take several steps a call: how chunks are cut, and what they hand over."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bench import Plan
from bench.engine.engine import Drawn
from bench.engine.group_engine import GroupEngine, groups
from bench.engine.optimizer import make_optimizer
from bench.engine.small_matmul import (
    FEW_COLUMNS,
    WRITTEN_OUT,
    decompositions,
    product,
    product_and_bias,
)
from bench.engine.tracing import trace_model
from bench.engine.warmup import restored
from bench.engine.whole_step import compile_graph
from bench.machine.compilers import CompileCounts, compile_counts
from tests.bench.train.training_by_hand import (
    RECIPE,
    engine_of,
    feed_of,
    flat_state,
    learner_of,
    small_net,
    some_batches,
)

ADAMW = replace(RECIPE, optimizer="adamw", weight_decay=0.01, augment=("flip",))
STEP = Plan(mode="step", steps_per_call=2)

pytestmark = pytest.mark.usefixtures("one_thread")


def test_equal_batches_share_a_group_and_what_is_left_over_runs_alone() -> None:
    assert list(groups([8] * 7 + [3], 3)) == [(0, 3), (3, 3), (6, 1), (7, 1)]
    assert list(groups([8, 8, 3, 8, 8, 8], 3)) == [(0, 1), (1, 1), (2, 1), (3, 3)]
    assert list(groups([8, 3], 1)) == [(0, 1), (1, 1)]


def test_groups_get_their_batches_draws_and_rates() -> None:
    calls, events = list[tuple[int, int, int]](), list[str]()

    def run(indices: Sequence[Tensor], drawn: Sequence[Drawn], rates: Tensor) -> Tensor:
        calls.append((len(indices), len(indices[0]), len(drawn[0])))
        return rates.clone()  # in the place of losses

    @contextmanager
    def around() -> Iterator[None]:
        events.append("begin")
        yield
        events.append("end")

    feed = feed_of(replace(RECIPE, augment=("flip", "shift1")))
    model = small_net()
    optimizer = make_optimizer(RECIPE, model)
    engine = GroupEngine(2, model, optimizer, feed, run, around, lambda: events.append("reset"))
    losses = engine.run(some_batches(5), [0.1, 0.2, 0.3, 0.4, 0.5])
    assert calls == [(2, 8, 2), (2, 8, 2), (1, 8, 2)]
    assert losses.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    engine.reset()
    assert events == ["begin", "end", "reset"]


def test_compiled_steps_take_no_momentum() -> None:
    engine = engine_of(small_net(), replace(RECIPE, momentum=0.9), STEP)
    with pytest.raises(AssertionError, match="holds the momentum"):
        engine.run(some_batches(1), [0.1], [0.8])


@pytest.mark.slow
def test_a_compiled_step_survives_a_warm_up_without_a_trace_and_counts() -> None:
    nets = []
    for is_warmed in (False, True):
        model = small_net()
        engine = engine_of(model, ADAMW, STEP)
        if is_warmed:
            with restored(learner_of(engine)):
                engine.run(some_batches(3), [0.05] * 3)
        losses = [engine.run(some_batches(count), [0.01] * count) for count in (5, 3)]
        nets.append((*losses, flat_state(model)))
        states = engine.optimizer.state.values()  # type: ignore[attr-defined]
        assert {float(state["step"]) for state in states} == {8.0}
    assert all(map(torch.equal, *nets))


@pytest.mark.slow
def test_a_shape_is_compiled_once() -> None:
    engine = engine_of(small_net(), ADAMW, STEP)
    before = compile_counts()
    engine.run([*some_batches(3), some_batches(1)[0][:3]], [0.01] * 4)
    met = compile_counts()
    assert met.since(before).compilations == 3  # two steps, one step, a ragged one
    engine.run([*some_batches(5), some_batches(1)[0][:3]], [0.02] * 6)
    assert compile_counts().since(met) == CompileCounts()


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
    arguments = [total, torch.ones(3)]
    compiled = compile_graph(trace_model(nn.Module(), add_and_count, arguments), arguments)
    with torch.no_grad():
        assert compiled(total, torch.ones(3)).tolist() == [2.0, 2.0, 2.0]
        assert compiled(total, torch.ones(3)).tolist() == [4.0, 4.0, 4.0]
    assert total.tolist() == [2.0, 2.0, 2.0]


def test_products_stay_as_they_are_where_the_compiler_would_write_beyond_its_buffers() -> None:
    # torch 2.12: step:2 of V0 ends with "corrupted size vs. prev_size"
    assert not decompositions("2.12.1+cu130")
    assert len(decompositions("2.14.0a0+git1234")) == 2
