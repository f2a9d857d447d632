"""Nets that turn switches of the process: put back, and told in the row."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bench import Plan
from bench.run.touched import switches_reported
from bench.train.training import Training
from fmnist_models.users.code import surroundings_of
from tests.bench.run.session_by_hand import SPEC, measured, open_session
from tests.bench.run.users_net_by_hand import Net, rows, use

pytestmark = pytest.mark.usefixtures("small_session")


@pytest.fixture(autouse=True)
def _as_new() -> Iterator[None]:
    yield
    surroundings_of.cache_clear()


class Turns(Net):
    """Sets the precision of products when it is built, and more in each forward pass."""

    def __init__(self) -> None:
        torch.set_float32_matmul_precision("medium")
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        torch.backends.cudnn.benchmark = True
        return super().forward(x)


def test_what_a_net_turns_is_put_back_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    use(Turns, monkeypatch)
    opened = open_session()
    with switches_reported(opened, findings := measured(opened=opened)):
        pass
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.benchmark
    assert findings.conditions["touched"] == ["cudnn.benchmark", "float32_matmul_precision"]
    assert "touched_switches" in findings.flags


def test_no_window_opens_with_a_switch_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What construction, warm-up or a validation has turned would be in the times of this row."""
    use(Turns, monkeypatch)
    seen: list[bool] = []
    run_leg = Training._run_leg

    def leg(training: Training, stop: float) -> bool:
        open_window = training.meters.open

        def opening() -> object:
            seen.append(torch.backends.cudnn.benchmark)
            return open_window()

        monkeypatch.setattr(training.meters, "open", opening)
        arrived = run_leg(training, stop)
        seen.append(torch.backends.cudnn.benchmark)
        return arrived

    monkeypatch.setattr(Training, "_run_leg", leg)
    measured()
    assert seen
    assert not any(seen)


def test_our_own_switches_are_no_net_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the threads of a plan nor those of the next one."""
    record, *_ = rows(monkeypatch, 0)
    assert record.status == "ok"
    assert "touched" not in record.conditions
    opened = open_session(replace(SPEC, plan=None))
    measured(replace(SPEC, plan=None), opened)
    assert opened.plan
    assert not opened.switches.touched


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["compile", "step:5"])
def test_what_torch_s_compiler_turns_is_no_net_s(plan: str) -> None:
    compiled = replace(SPEC, plan=Plan.parse(f"{plan},threads:1"))
    opened = open_session(compiled)
    measured(compiled, opened)
    assert not opened.switches.touched
