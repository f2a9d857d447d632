"""Nets that cannot train in channels_last are known by their reason."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bench.train.memory_format import why_not_channels_last
from tests.fmnist_models.nets_by_hand import Plain

pytestmark = pytest.mark.usefixtures("one_thread")


class Views(Plain):
    """Flattens by a view, as tutorials do."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        x = self.layers[:3](x)
        return self.layers[4](x.view(x.size(0), -1))  # type: ignore[no-any-return]


class TwoChannels(Plain):
    """Takes no image at all."""

    def forward(self, x: Tensor) -> Tensor:
        """Raise: there is one channel."""
        return self.layers(x.view(-1, 2, 4, 8))  # type: ignore[no-any-return]


def test_a_view_of_maps_is_the_reason() -> None:
    model = Views()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    reason = why_not_channels_last(model, 8) or ""
    assert reason.startswith("the net does not take channels_last (RuntimeError: view size is not")
    assert reason.endswith("; write .reshape or .flatten for its .view")
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert model.training
    model(torch.rand(2, 1, 8, 8))  # in NCHW again


@pytest.mark.parametrize("build", [Plain, TwoChannels])
def test_a_net_that_trains_in_both_or_in_neither_has_none(build: Callable[[], nn.Module]) -> None:
    assert why_not_channels_last(build(), 8) is None
