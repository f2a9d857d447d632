"""Nets that return probabilities where the loss expects logits."""

import pytest
from torch import nn

from tests.bench.run.session_by_hand import measured
from tests.bench.run.users_net_by_hand import Net, use

pytestmark = pytest.mark.usefixtures("small_session")


@pytest.mark.parametrize(
    ("last", "is_flagged"),
    [
        (nn.Softmax(1), True),
        (nn.LogSoftmax(1), False),
        (nn.Sigmoid(), False),
        (nn.Identity(), False),
    ],
)
def test_probabilities_for_logits_are_flagged(
    last: nn.Module, is_flagged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(lambda: nn.Sequential(Net(), last), monkeypatch)
    assert ("ends_in_softmax" in measured().flags) == is_flagged
