"""Weights and noise follow the seed of a run, wherever a net draws them from, or a flag says so."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fmnist_models import build_model
from tests.bench.run.session_by_hand import SPEC, measured, open_session
from tests.bench.run.users_net_by_hand import Net, use

pytestmark = pytest.mark.usefixtures("small_session")


class SeedsTorch(Net):
    """Is the same under every seed."""

    def __init__(self, seed: int = 42) -> None:
        torch.manual_seed(seed)
        super().__init__()


class OwnGenerator(Net):
    """The same again, where torch's own generator does not tell."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)


class SeedsNumpy(Net):
    """The same by numpy."""

    def __init__(self) -> None:
        super().__init__()
        np.random.seed(0)
        self.layer.weight.data = torch.from_numpy(np.random.rand(10, 784)).float()
        self.layer.bias.data.zero_()


class DrawsElsewhere(Net):
    """Draws from numpy and Python, as old initialisations do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer.weight.data = torch.from_numpy(np.random.randn(10, 784) / 28).float()
        self.layer.bias.data.fill_(random.random())

    def forward(self, x: Tensor) -> Tensor:
        """Return noisy logits (B, 10)."""
        return super().forward(x) * random.uniform(0.9, 1.1) + float(np.random.rand())


def test_a_net_that_seeds_torch_is_flagged_with_one_seed_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(SeedsTorch, monkeypatch)
    assert "seeds_itself" in measured().flags


@pytest.mark.parametrize("build", [OwnGenerator, SeedsNumpy, lambda: SeedsTorch(1)])
def test_the_same_weights_under_two_seeds_are_flagged(
    build: Callable[[], Net], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(build, monkeypatch)
    opened = open_session()
    opened.model_for(0)
    opened.model_for(1)  # one seed alone cannot tell
    assert opened.seeds_itself


def test_after_a_net_that_seeds_torch_the_run_draws_by_its_own_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else dropout would be the same under every seed, too."""
    use(SeedsTorch, monkeypatch)
    opened, drawn = open_session(), []
    for seed in (5, 6, 5):
        opened.model_for(seed)
        drawn.append((torch.rand(1).item(), np.random.rand(), random.random()))
        assert torch.initial_seed() == seed
    assert drawn[0] == drawn[2]
    assert all(a != b for a, b in zip(*drawn[:2], strict=True))


def test_a_net_that_seeds_nothing_starts_as_it_always_has() -> None:
    """To notice who seeds must not change what is drawn: weights, and what follows them."""
    opened = open_session()
    for seed in (7, 8):
        model, after = opened.model_for(seed), torch.rand(3)
        assert not opened.seeds_itself
        torch.manual_seed(seed)
        fresh = build_model("v0")
        assert torch.equal(after, torch.rand(3))
        assert torch.initial_seed() == seed
        for ours, plain in zip(model.parameters(), fresh.parameters(), strict=True):
            assert torch.equal(ours, plain)


def test_draws_from_numpy_and_python_follow_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights and noise; warm-up steps, whose number hangs on the clock, must not move them."""
    use(DrawsElsewhere, monkeypatch)
    losses = [measured(replace(SPEC, seed=s)).samples["loss"].tolist() for s in (0, 0, 1)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
