"""Other people's nets with all that a compiler does: one of a kind under `compile`, `step`, `auto`.

tests/bench/run/test_user_nets.py holds many more, without the compiler for the machine.
"""

import pytest
import torch

from tests.bench.run.nets_by_hand import loop_by_hand, open_net, run_net

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore"),  # the nets' own, and torch's on what they use
]


@pytest.mark.parametrize(
    ("net", "plan"),
    [
        ("wrapped:SeveralInputs", "compile"),
        ("wrapped:OwnLoss", "step"),
        ("tooled:CompiledPart", "auto"),
    ],
)
def test_a_net_trains_compiled_as_in_a_plain_loop(net: str, plan: str) -> None:
    torch._dynamo.reset()
    ran = run_net(open_net(net, plan))
    torch.testing.assert_close(ran.losses, loop_by_hand(net), rtol=0, atol=1e-4)
    assert "compiled_in_clock" not in ran.findings.flags
