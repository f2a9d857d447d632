"""Layers in plain lists, which no optimizer sees, are noticed; layers that are known are not."""

from typing import Any

import pytest
from torch import nn

from fmnist_models.parts import has_stray_weights


class Holder(nn.Module):
    """Holds something beside a layer of its own."""

    def __init__(self, held: Any) -> None:  # noqa: ANN401 - whatever a user holds
        super().__init__()
        self.layer, self.held = nn.Linear(2, 2), held


@pytest.mark.parametrize(
    "held",
    [
        [nn.Linear(2, 2)],
        (nn.Linear(2, 2),),
        {"a": nn.Linear(2, 2)},
        [[nn.Linear(2, 2)]],
        [nn.Parameter(nn.Linear(2, 2).weight)],
    ],
)
def test_weights_that_nothing_trains_are_found(held: object) -> None:
    """Such a net trains without a word, and learns less than its author thinks."""
    assert has_stray_weights(nn.Sequential(Holder(held)))


def test_what_is_registered_or_frozen_is_none() -> None:
    model = Holder(None)
    model.held = [model.layer, model.layer.weight, nn.ReLU(), "text", 3]
    assert not has_stray_weights(model)
    model.held = [nn.Linear(2, 2).requires_grad_(False)]  # a teacher, hidden on purpose
    assert not has_stray_weights(model)
    model.held = nn.ModuleList([nn.Linear(2, 2)])
    assert not has_stray_weights(model)
    assert not has_stray_weights(nn.LSTM(2, 2))  # lists its weights for its kernel


def test_a_list_that_holds_itself_ends() -> None:
    held: list[object] = []
    held.append(held)
    assert not has_stray_weights(Holder(held))
