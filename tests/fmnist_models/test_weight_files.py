"""Weights from a file: our checkpoints, state dicts as others save them, and what is neither."""

import warnings
from argparse import Namespace
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fmnist_models import ModelError, build_model
from fmnist_models.pretrained import Start, start_from
from tests.fmnist_models.weights_by_hand import (
    HEAD_RANDOM,
    Tensors,
    built,
    refusal_of,
    saved,
    states,
    unlike,
)

pytestmark = pytest.mark.usefixtures("one_thread", "_here")


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def checkpoint(name: str) -> dict[str, Any]:
    """What the harness saves."""
    return {
        "format": 1,
        "model": {"name": name, "input_size": 28},
        "weights": built(name).state_dict(),
    }


def test_our_own_checkpoint_must_be_of_the_model_and_fit_to_the_last_tensor() -> None:
    assert refusal_of("resnet8", saved(checkpoint("v0"))) == (
        "weights.pth is a checkpoint of v0, not of resnet8; choose --models v0, or another file"
    )
    content = checkpoint("resnet8")
    content["weights"]["head.weight"] = torch.zeros(11, 64)
    assert refusal_of("resnet8", saved(content)) == (
        "weights.pth does not fit resnet8: its head.weight is (11, 64), not (10, 64);"
        " choose another file, or --set weights=random"
    )


def prefixed(prefix: str) -> Callable[[Tensors], object]:
    return lambda tensors: {prefix + key: tensor for key, tensor in tensors.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensors: checkpoint("resnet8") | {"weights": tensors},
        OrderedDict,
        prefixed("module."),
        prefixed("_orig_mod.module."),
        lambda tensors: {"epoch": 3, "loss": [0.5], "model_state_dict": tensors},
        lambda tensors: {"state_dict": prefixed("module.")(tensors), "arch": "resnet8"},
        lambda tensors: {"net": prefixed("module.")(tensors), "acc": 81.5, "epoch": 3},
        lambda tensors: {"state": {"model": tensors, "optimizer": optimizer_state(tensors)}},
        lambda tensors: {"theirs": tensors, "optim": {"exp_avg": tensors}},
        lambda tensors: {"state_dict": prefixed("model.net.")(tensors), "hyper_parameters": {}},
        lambda tensors: {
            "ema": {f"module.{key}": tensor for key, tensor in tensors.items()}
            | {"n_averaged": torch.ones(1)}
        },
        lambda tensors: {
            key.replace("stem.", "stem._orig_mod."): tensor for key, tensor in tensors.items()
        },
        lambda tensors: {"state_dict": tensors, "args": Namespace(lr=0.1), "out": Path("x")},
        lambda tensors: {"model": tensors, "best": np.float64(81.5), "curve": np.ones(3)},
        lambda tensors: defaultdict(dict, model=tensors, curves=defaultdict(list, loss=[0.5])),
    ],
)
def test_our_own_checkpoint_and_state_dicts_as_others_save_them(
    wrap: Callable[[Tensors], object],
) -> None:
    torch.manual_seed(9)
    model = build_model("resnet8")
    wanted = built("resnet8").state_dict()
    assert start_from(model, "resnet8", saved(wrap(wanted)), "rgb_sum") == Start(True)
    assert not unlike(states(model), wanted)


def optimizer_state(tensors: Tensors) -> object:
    return {"state": {0: {"exp_avg": tensors["stem.0.weight"]}}, "param_groups": [{"lr": 0.1}]}


def test_of_several_state_dicts_the_weights_go_before_their_average_and_that_is_said() -> None:
    tensors = built("resnet8").state_dict()
    zeros = {key: torch.zeros_like(tensor) for key, tensor in tensors.items()}
    file = saved({"model_ema": zeros, "generator": zeros, "model": tensors})
    model = build_model("resnet8")
    note = "weights under ['model'], not ['generator'], ['model_ema']"
    assert start_from(model, "resnet8", file, "rgb_sum") == Start(True, note)
    assert not unlike(states(model), tensors)


def test_of_state_dicts_with_equal_claims_none_is_guessed() -> None:
    tensors = built("resnet8").state_dict()
    assert refusal_of("resnet8", saved({"generator": tensors, "critic": tensors})) == (
        "weights.pth holds several state dicts: ['generator'], ['critic'];"
        " save one alone: torch.save(torch.load(FILE)['generator'], 'weights.pth')"
    )


def test_a_layer_that_is_called_module_keeps_its_name() -> None:
    model, other = (nn.Sequential(OrderedDict(module=nn.Linear(4, 10))) for _ in range(2))
    file = saved(other.state_dict())
    assert start_from(model, "mine", file, "rgb_sum") == Start(True)
    assert not unlike(states(model), other.state_dict())


def test_a_head_for_other_classes_stays_random() -> None:
    tensors = {**built("resnet8").state_dict(), "head.weight": torch.ones(100, 64)}
    tensors["head.bias"] = torch.ones(100)
    torch.manual_seed(9)
    model = build_model("resnet8")
    before = states(model)
    assert start_from(model, "resnet8", saved(tensors), "rgb_sum") == HEAD_RANDOM
    assert unlike(states(model), built("resnet8").state_dict()) == {"head.weight", "head.bias"}
    assert not {"head.weight", "head.bias"} & unlike(states(model), before)


@pytest.mark.parametrize(
    ("key", "shape", "message"),
    [
        ("stem.1.bias", None, "it has no tensor stem.1.bias"),
        ("stem.0.weight", None, "it has no tensor stem.0.weight"),
        ("stem.1.bias", (3,), "its stem.1.bias is (3,), not (16,)"),
        ("more", (3,), "the model has no tensor more"),
        ("stem.0.weight", (8, 3, 3, 3), "its stem.0.weight is (8, 3, 3, 3), not (16, 1, 3, 3)"),
        ("stem.0.weight", (16, 4, 3, 3), "its stem.0.weight is (16, 4, 3, 3), not (16, 1, 3, 3)"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named(
    key: str, shape: tuple[int, ...] | None, message: str
) -> None:
    content = built("resnet8").state_dict()
    content.pop(key, None)
    if shape:
        content[key] = torch.zeros(shape)
    assert refusal_of("resnet8", saved(content)) == (
        f"weights.pth does not fit resnet8: {message}; choose another file, or --set weights=random"
    )


def test_a_file_that_would_leave_all_at_random_is_refused() -> None:
    with pytest.raises(
        ModelError, match=r"^w\.pth does not fit mine: it would leave all at random"
    ):
        start_from(nn.Linear(4, 10), "mine", saved({"x": torch.zeros(1)}, "w.pth"), "rgb_sum")


class Secret:
    """No tensor, so that loading it needs its code."""


NO_TORCH_FILE = (
    "weights.pth is no file of torch.save, or a damaged one;"
    " choose --set weights=random, imagenet or a file"
)


@pytest.mark.parametrize(
    "content",
    [
        torch.zeros(3),
        [1, 2],
        {},
        {"epoch": 3},
        {"state_dict": 3},
        {"format": 1, "model": "v0", "weights": {"x": torch.zeros(1)}},
        {"format": 1, "model": {}, "weights": {"x": torch.zeros(1)}},
        {"format": 1, "model": {"name": "resnet8"}, "weights": [1]},
    ],
)
def test_what_is_no_state_dict(content: object) -> None:
    assert refusal_of("resnet8", saved(content)) == (
        "weights.pth holds no state dict; write it with torch.save(model.state_dict(), FILE)"
    )


@pytest.mark.parametrize("nested", [False, True])
def test_what_stands_among_the_tensors_is_named(nested: bool) -> None:
    """Would catch a state dict with one more entry, refused without the reason."""
    content = {"x": torch.zeros(1), "epoch": 3, "loss": 0.5}
    assert refusal_of("resnet8", saved({"model": content} if nested else content)) == (
        "weights.pth holds no state dict because of 'epoch' (int), which is no plain tensor;"
        " write it with torch.save(model.state_dict(), FILE)"
    )


def test_an_object_in_the_place_of_the_weights_is_named() -> None:
    assert refusal_of("resnet8", saved({"epoch": 3, "model": Secret()})) == (
        "weights.pth holds no state dict but an object of"
        " tests.fmnist_models.test_weight_files.Secret under 'model';"
        " write it with torch.save(model.state_dict(), FILE)"
    )


def test_what_needs_code_is_not_read() -> None:
    assert refusal_of("resnet8", saved(Secret())) == (
        "weights.pth holds an object of tests.fmnist_models.test_weight_files.Secret, and reading"
        " it would run code; save the model's state_dict() alone"
    )


@pytest.mark.parametrize("content", [b"", b"text\n", b"PK\x03\x04 cut off", b"\x80\x02}q\x00."])
def test_what_is_no_file_of_torch(content: bytes) -> None:
    Path("weights.pth").write_bytes(content)
    assert refusal_of("resnet8", "weights.pth") == NO_TORCH_FILE


def test_a_safetensors_file_is_told_apart_from_a_damaged_one() -> None:
    Path("weights.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    assert refusal_of("resnet8", "weights.safetensors") == (
        "weights.safetensors is a safetensors file;"
        " write it anew: torch.save(load_file(FILE), 'weights.pth')"
    )


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # of torch.jit
def test_a_compiled_archive_is_no_state_dict() -> None:
    torch.jit.script(nn.Linear(2, 2)).save("weights.pth")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert refusal_of("resnet8", "weights.pth") == NO_TORCH_FILE
    assert not warned


@pytest.mark.parametrize(
    ("path", "what"),
    [("missing.pth", "there is no file missing.pth"), (".", ". is a folder")],
)
def test_a_file_that_is_not_there(path: str, what: str) -> None:
    assert refusal_of("resnet8", path) == f"{what}; choose --set weights=random, imagenet or a file"
