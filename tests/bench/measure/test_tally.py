"""Operators and live bytes of a step by hand, and the same every time."""

import gc
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bench.counts.count import count_net
from bench.measure.tally import Tally, tally_step
from fmnist_models import build_model, model_info
from tests.bench.train.training_by_hand import flat_state, make_engine, small_net
from tests.tiers import slow_but

pytestmark = pytest.mark.usefixtures("one_thread")
KIB = 1024


def kib(count: int) -> Tensor:
    return torch.ones(count * KIB // 4)


def test_bytes_live_as_long_as_their_last_tensor() -> None:
    with Tally([]) as tally:
        numbers = kib(4)
        rows = numbers.view(2, -1)  # the same bytes
        assert tally.live_bytes == 4 * KIB
        del numbers
        assert tally.live_bytes == 4 * KIB
        del rows
        assert tally.live_bytes == 0
    assert (tally.operators, tally.peak_bytes) == (2, 4 * KIB)


def test_what_autograd_alone_holds_is_alive() -> None:
    weights = kib(4).requires_grad_()
    with Tally([weights]) as tally:
        total = weights.exp().exp().sum()  # both results are saved for the backward pass
        assert tally.live_bytes == 3 * 4 * KIB + 4
        total.backward()
        assert tally.live_bytes == 2 * 4 * KIB + 4  # weights, gradient, total
    assert tally.peak_bytes >= 4 * 4 * KIB


def test_a_restart_forgets_the_peak_and_keeps_what_lives() -> None:
    with Tally([]) as tally:
        kept = kib(2)
        kib(8)
        assert tally.peak_bytes == 10 * KIB
        tally.restart()
        assert (tally.operators, tally.peak_bytes, tally.live_bytes) == (0, 2 * KIB, 2 * KIB)
    assert len(kept)


def test_a_step_of_a_linear_net_by_hand() -> None:
    counts = tally_step(
        make_engine(nn.Sequential(nn.Flatten(), nn.Linear(64, 10))), torch.arange(8)
    )
    assert counts["flops"] == 2 * (2 * 8 * 64 * 10)  # forward, and the gradient of the weights
    assert counts["kept_bytes"] == 0
    own, images, logits = 2 * 650 * 4, 8 * 64 * 4, 8 * 10 * 4
    assert own + images <= counts["peak_bytes"] <= own + 2 * images + 4 * logits


@pytest.mark.parametrize("name", slow_but({"v0"}, ["v0", "resnet8", "resnet4_dropout"]))
def test_two_counts_agree_to_the_byte(name: str) -> None:
    size = model_info(name).input_size
    assert count_net(build_model(name), size) == count_net(build_model(name), size)


@pytest.mark.slow
def test_threads_do_not_matter() -> None:
    engine, batch = make_engine(small_net()), torch.arange(8)
    one = tally_step(engine, batch)
    torch.set_num_threads(2)
    assert tally_step(engine, batch) == one


def test_a_count_trains_the_model_and_leaves_random_state_threads_and_collector_alone() -> None:
    torch.set_num_threads(2)
    model = small_net(dropout=0.5)
    rng, before = torch.get_rng_state(), flat_state(model)
    count_net(model, 8)
    assert torch.equal(torch.get_rng_state(), rng)
    assert torch.get_num_threads() == 2
    assert gc.isenabled()
    assert not torch.equal(flat_state(model), before)  # whoever needs the model builds another


class Hoarder(nn.Module):
    """A linear net with a habit of keeping what it computes."""

    def __init__(self, keep: Callable[["Hoarder", Tensor], None]) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.kept: list[Tensor] = []
        self.keep = keep

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, 8, 8) -> (B, 10)."""
        doubled = 2 * images.flatten(1)
        self.keep(self, doubled)
        logits: Tensor = self.layer(doubled)
        return logits


def tie_a_knot(_net: Hoarder, maps: Tensor) -> None:
    knot: list[object] = [maps]
    knot.append(knot)


MAPS_BYTES = 8 * 64 * 4


@pytest.mark.parametrize(
    ("keep", "kept_bytes", "peak_growth"),
    [
        (lambda net, maps: net.kept.append(maps), MAPS_BYTES, True),
        (lambda net, maps: setattr(net, "kept", [maps]), 0, True),
        (tie_a_knot, 0, True),  # the collector would find it, at a time of its own
        (lambda _net, _maps: None, 0, False),
    ],
)
def test_what_is_kept_from_step_to_step_shows(
    keep: Callable[[Hoarder, Tensor], None], kept_bytes: int, peak_growth: bool
) -> None:
    plain = count_net(Hoarder(lambda _net, _maps: None), 8)
    counts = count_net(Hoarder(keep), 8)
    assert counts["kept_bytes"] == kept_bytes
    assert (counts["peak_bytes"] > plain["peak_bytes"]) == peak_growth
    assert counts["operators"] == plain["operators"]


@pytest.mark.gpu
def test_counts_on_a_gpu_agree_twice_and_have_kernels() -> None:
    first, second = (count_net(build_model("v2"), 28, "cuda:0") for _ in range(2))
    assert first == second
    assert first["kernels"] > 0
    assert first["kept_bytes"] == 0
