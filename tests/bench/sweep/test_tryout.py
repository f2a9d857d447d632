"""The check before a sweep: what a net would fail with in training is told in a line."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.spec.named_recipes import DEFAULT
from bench.spec.recipe import Recipe
from bench.sweep.tryout import Tryout, try_here, try_out
from fmnist_models import ModelError
from fmnist_models.users.files import USER_FILES

NET = """
import os
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.last = nn.Linear(4 * 28 * 28, 10)

    def forward(self, images):
        return self.last(self.conv(images).flatten(1))

class Normed(Net):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(10)

    def forward(self, images):
        return self.norm(super().forward(images))

class Squeezed(Net):
    def forward(self, images):
        return super().forward(images).squeeze()

class Viewed(Net):
    def forward(self, images):
        return self.last(self.conv(images).view(len(images), -1))

class Heads(Net):
    def forward(self, images):
        logits = super().forward(images)
        return (logits, logits * 2) if self.training else logits

class OnlyInTraining(Net):
    def forward(self, images):
        if self.training:
            raise ValueError("not like this")
        return super().forward(images)

class Inverts(Net):
    def forward(self, images):
        return super().forward(images) + 0 * torch.linalg.inv(images).mean()

class Exits(Net):
    def forward(self, images):
        os._exit(3)

class Lazy(Net):
    def forward(self, images):
        if self.training:
            from late import WIDTH
        return super().forward(images)

def double():
    return Net().double()

def double_inside():
    class Inside(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net().double()
        def forward(self, images):
            return self.net(images.double())
    return Inside()
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)


def files_of(
    net: str, layout: str = "contiguous", recipe: Recipe = DEFAULT, data: Path | None = None
) -> tuple[str, ...]:
    try:
        return try_here(Tryout(f"net.py:{net}", (recipe,), layout, data))
    finally:
        USER_FILES.active = None


@pytest.mark.parametrize("net", ["Net", "Heads", "Inverts", "double_inside", "Viewed", "Normed"])
def test_what_trains_is_accepted(net: str) -> None:
    assert files_of(net, recipe=replace(DEFAULT, batch_size=64)) == ()


@pytest.mark.parametrize(
    ("net", "layout", "line"),
    [
        (
            "OnlyInTraining",
            "contiguous",
            "net.py:OnlyInTraining fails in a training step on images (2, 1, 28, 28): "
            "ValueError: not like this (line 39)",
        ),
        (
            "double",
            "contiguous",
            "; images are float32 and it has parameters in float64: "
            "end its constructor with .float()",
        ),
        (
            "Viewed",
            "channels_last",
            "; write .reshape or .flatten for its .view, or leave channels_last out of --plan",
        ),
    ],
)
def test_what_would_fail_in_training_is_told_with_its_remedy(
    net: str, layout: str, line: str
) -> None:
    with pytest.raises(ModelError) as refusal:
        files_of(net, layout)
    assert str(refusal.value).startswith(f"net.py:{net}")
    assert str(refusal.value).endswith(line)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("net", ["Normed", "Squeezed"])
def test_a_batch_of_one_is_told_where_training_comes_to_it(net: str, data_root: Path) -> None:
    files_of(net, data=data_root)  # 54,000 images in batches of 128
    for batch_size in (1, 53_999):
        recipe = replace(DEFAULT, batch_size=batch_size, drop_last=False)
        with pytest.raises(ModelError, match=rf"{net} fails in training on a batch of one image"):
            files_of(net, recipe=recipe, data=data_root)
    files_of(net, recipe=replace(DEFAULT, batch_size=53_999, drop_last=True), data=data_root)


def test_what_a_training_step_imports_is_found_too() -> None:
    Path("late.py").write_text("WIDTH = 1\n")
    assert files_of("Lazy") == ("late.py",)


def test_a_net_that_ends_its_process_is_named() -> None:
    with pytest.raises(UsageError) as refusal:
        try_out(Tryout("net.py:Exits", (DEFAULT,), "contiguous", None))
    assert str(refusal.value) == (
        "net.py:Exits: the check before the sweep died: the process exited with code 3; "
        "mend it, or leave it out of --models"
    )
