"""Nets that come compiled are the plain nets: their names, their class, and what runs."""

from collections.abc import Callable

import pytest
import torch
import torch._dynamo
from torch import Tensor, nn

from bench.machine.compilers import compile_counts
from fmnist_models.users.compiled import came_compiled, uncompiled, without_compilation
from tests.fmnist_models.nets_by_hand import Plain

IMAGES = torch.rand(4, 1, 8, 8)

pytestmark = pytest.mark.usefixtures("one_thread")


def whole() -> nn.Module:
    return torch.compile(Plain())  # type: ignore[return-value]


def a_part() -> nn.Module:
    net = Plain()
    net.layers = torch.compile(net.layers)  # type: ignore[assignment]
    return net


def in_place() -> nn.Module:
    net = Plain()
    net.compile()
    net.layers[0].compile()
    return net


def its_forward() -> nn.Module:
    net = Plain()
    net.forward = torch.compile(net.forward)  # type: ignore[method-assign]
    return net


@pytest.mark.parametrize("build", [whole, a_part, in_place, its_forward])
def test_the_plain_net_is_found_inside(build: Callable[[], nn.Module]) -> None:
    net = without_compilation(build())
    assert type(net) is Plain
    assert came_compiled(net)
    assert list(net.state_dict()) == list(Plain().state_dict())
    before = compile_counts()
    assert torch.equal(net(IMAGES), Plain()(IMAGES))
    assert compile_counts() == before


def test_a_plain_net_stays_as_it_is() -> None:
    net = Plain()
    assert without_compilation(net) is net
    assert not came_compiled(net)


class Decorated(Plain):
    """Has a compiled method."""

    @torch.compile
    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        logits: Tensor = self.layers(x)
        return logits


@torch.compile
def doubled(x: Tensor) -> Tensor:
    return 2 * x


class Calls(Plain):
    """Calls a compiled function."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        return super().forward(doubled(x) / 2)


@pytest.mark.parametrize("build", [Decorated, Calls])
def test_what_cannot_be_taken_out_is_known_and_runs_as_written(
    build: Callable[[], nn.Module],
) -> None:
    net = without_compilation(build())
    assert came_compiled(net)
    before = compile_counts()
    with uncompiled():
        assert torch.equal(net(IMAGES), Plain()(IMAGES))
    assert compile_counts() == before
