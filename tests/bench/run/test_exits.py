"""Nets that exit, at whatever moment: rows, and the next seed runs."""

import signal
from collections.abc import Iterator
from typing import ClassVar

import pytest
from torch import Tensor

from tests.bench.run.users_net_by_hand import Net, rows, use

pytestmark = pytest.mark.usefixtures("small_session")


@pytest.fixture
def no_ctrl_c() -> Iterator[None]:
    """Ignore SIGINT, as children of a sweep do."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


class Ends(Net):
    """Ends in a way of its own in the first run, at a moment of its own."""

    raised: BaseException
    moment: str = "step"
    calls: ClassVar[list[int]] = []

    def __init__(self) -> None:
        super().__init__()
        if self.moment == "construction":
            self.end()

    def end(self) -> None:
        """Raise, but for all runs but the first."""
        if not self.calls:
            self.calls.append(1)
            raise self.raised

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10), if at all."""
        if self.moment == "forward" or (self.moment == "evaluation" and not self.training):
            self.end()
        logits = super().forward(x)
        if self.moment == "backward" and logits.requires_grad:
            logits.register_hook(lambda _gradient: self.end())
        return logits


@pytest.mark.parametrize("moment", ["construction", "forward", "backward", "evaluation"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SystemExit(3), r"the model called sys.exit(3) (test_exits.py:"),
        (SystemExit("no CUDA"), r"the model called sys.exit('no CUDA') (test_exits.py:"),
        (SystemExit(), r"the model called sys.exit() (test_exits.py:"),
        (KeyboardInterrupt(), r"the model raised KeyboardInterrupt (test_exits.py:"),
        (BaseException("enough"), r"BaseException: enough (test_exits.py:"),
    ],
)
def test_a_net_that_exits_is_a_row_and_the_next_seed_runs(
    moment: str,
    error: BaseException,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    no_ctrl_c: None,
) -> None:
    monkeypatch.setattr(Ends, "raised", error, raising=False)
    monkeypatch.setattr(Ends, "moment", moment)
    monkeypatch.setattr(Ends, "calls", [])
    use(Ends, monkeypatch)
    first, second = rows(monkeypatch, 0, 1)
    assert first.status == "crashed"
    assert str(first.reason).startswith(reason)
    assert second.status == "ok"


def test_ctrl_c_is_no_row_where_it_can_be_pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that calls `execute` ends when its user says so."""
    monkeypatch.setattr(Ends, "raised", KeyboardInterrupt(), raising=False)
    monkeypatch.setattr(Ends, "moment", "forward")
    monkeypatch.setattr(Ends, "calls", [])
    use(Ends, monkeypatch)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            rows(monkeypatch, 0)
    finally:
        signal.signal(signal.SIGINT, before)
