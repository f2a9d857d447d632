"""A user's net that tests change, and runs of it in this process."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from torch import Tensor, nn

import data_pipeline
from bench.run.runner import execute_seeds
from bench.train import session as sessions
from bench.train.session import Session
from results import RunRecord
from tests.bench.run.session_by_hand import SPEC, open_session


class Net(nn.Module):
    """A linear net that its tests change; fits (B, 1, 28, 28) -> (B, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(784, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        logits: Tensor = self.layer(x.flatten(1))
        return logits


def use(build: Callable[[], nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have sessions build this net."""
    monkeypatch.setattr(sessions, "build_model", lambda *_: build())


def rows(monkeypatch: pytest.MonkeyPatch, *seeds: int) -> list[RunRecord]:
    """The records of some seeds in this process."""
    monkeypatch.setattr(Session, "open", lambda spec, *_: open_session(spec))
    found = SimpleNamespace(data_hash="hash")
    monkeypatch.setattr(data_pipeline, "ensure_data", lambda _root: found)
    return [result.record for result in execute_seeds(SPEC, seeds, device="cpu")]
