"""Saved models as networks again: only with their own weights and their own text."""

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.keep.saved_model import load_model, read_saved, saved_model_of, write_saved
from bench.spec.named_recipes import DEFAULT
from bench.spec.run_spec import file_hash
from fmnist_models import build_model
from tests.bench.keep.test_saved_model import path, refusal, saved_v0

__all__ = ["path"]  # a fixture
pytestmark = pytest.mark.usefixtures("one_thread")


WRONG_WEIGHTS: dict[str, tuple[dict[str, Any], str]] = {
    "no such model": ({"name": "v9"}, "unknown model 'v9'; choose from v0"),
    "no such file": ({"name": "gone.py:Net"}, "gone.py:Net: No such file"),
    "another model": (
        {"weights": build_model("v2").state_dict()},
        "does not fit v0: it has no tensor 1.weight; name another file, or train anew",
    ),
    "another shape": (
        {"weights": build_model("v0").state_dict() | {"2.weight": torch.zeros(10, 11)}},
        "does not fit v0: its 2.weight is (10, 11), not (10, 10); name another file",
    ),
    "complex numbers": (
        {"weights": build_model("v0").state_dict() | {"2.bias": torch.zeros(10) * 1j}},
        "does not fit v0: its 2.bias is complex, not real; name another file, or train anew",
    ),
    "no numbers": (
        {"weights": build_model("v0").state_dict() | {"2.weight": torch.eye(10) / 0}},
        "does not fit v0: its 2.weight holds no finite numbers; name another file, or train anew",
    ),
}


@pytest.mark.parametrize("fault", WRONG_WEIGHTS)
def test_weights_that_do_not_fit_are_one_line_with_the_name_of_the_file(
    path: Path, fault: str
) -> None:
    changes, wanted = WRONG_WEIGHTS[fault]
    line = refusal(load_model, saved_v0(path=path, **changes))
    assert str(path) in line
    assert wanted in line


def test_a_users_own_file_must_be_the_one_trained_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), %s)\n"
    Path("net.py").write_text(text % "nn.Linear(784, 10)")
    live = build_model("net.py:net")
    write_saved(
        Path("m.pt"),
        saved_model_of(
            live, name="net.py:net", recipe=DEFAULT, trained={}, model_hash=file_hash("net.py:net")
        ),
    )
    saved = read_saved(Path("m.pt"))
    assert saved.model_hash == file_hash("net.py:net") is not None
    assert torch.equal(load_model(saved)[1].weight, live[1].weight)  # type: ignore[index]
    Path("net.py").write_text(
        "import pathlib\npathlib.Path('executed').touch()\n" + text % "nn.Linear(784, 10)"
    )
    wanted = "m.pt: it was trained with another text of net.py; put that back, or say --model"
    assert refusal(load_model, saved).startswith(wanted)
    assert not Path("executed").exists()
    assert load_model(saved, checks_text=False)(torch.zeros(1, 1, 28, 28)).shape == (1, 10)


OWN_RULES = """
import torch
from torch import nn

class Halved(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(784, 10)
        self.register_buffer("mask", torch.full((2,), -torch.inf))

    def forward(self, images):
        return self.head(images.flatten(1))

    def state_dict(self, *args, **kwargs):
        return {name: tensor / 2 for name, tensor in super().state_dict(*args, **kwargs).items()}

    def load_state_dict(self, state, *args, **kwargs):
        doubled = {name: 2 * tensor for name, tensor in state.items()}
        return super().load_state_dict(doubled, *args, **kwargs)
"""


def test_a_model_with_a_mask_of_infinities_loads_its_state_dict_by_its_own_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(OWN_RULES)
    name = "net.py:Halved"
    live = build_model(name)
    saved = saved_model_of(live, name=name, recipe=DEFAULT, trained={}, model_hash=file_hash(name))
    assert torch.equal(load_model(saved).head.weight, live.head.weight)  # type: ignore[arg-type, union-attr]
