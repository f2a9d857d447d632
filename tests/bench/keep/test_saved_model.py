"""Saved models: what is written comes back to the bit, and a wrong file is one line."""

import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bench import Recipe, UsageError
from bench.keep.saved_model import (
    SavedModel,
    load_model,
    read_saved,
    read_whole,
    saved_model_of,
    write_saved,
)
from bench.spec.named_recipes import DEFAULT, R1_RESNET50
from data_pipeline import CLASS_NAMES
from fmnist_models import ModelError, build_model

pytestmark = pytest.mark.usefixtures("one_thread")
RESUME = {"optimizer": {"state": {0: {"step": torch.tensor(3.0)}}}, "progress": [1, 2.5, None]}
TRAINED = {"budget": "3epochs", "seed": 1, "epoch": 2, "which": "best", "accuracy": 0.875}


def saved_v0(**changes: Any) -> SavedModel:  # noqa: ANN401 - any field
    torch.manual_seed(0)
    saved = saved_model_of(build_model("v0"), name="v0", recipe=DEFAULT, trained=TRAINED)
    return replace(saved, **changes)


def refusal(call: Callable[..., object], *arguments: object) -> str:
    with pytest.raises((UsageError, ModelError)) as refused:
        call(*arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "checkpoints" / "v0.pt"


@pytest.mark.parametrize("resume", [None, RESUME], ids=["finished", "resumable"])
def test_what_is_written_is_read(path: Path, resume: dict[str, Any] | None) -> None:
    saved = saved_v0()
    write_saved(path, saved, resume)
    read = read_saved(path)
    assert (read.name, read.input_size, read.normalize) == ("v0", 28, "dataset")
    assert (read.model_hash, read.classes, read.path) == (None, CLASS_NAMES, path)
    assert read.trained == {"recipe": saved.trained["recipe"], **TRAINED}
    assert read.trained["recipe"]["optimizer"] == "adamw"
    assert list(read.weights) == list(saved.weights)
    assert all(torch.equal(read.weights[key], saved.weights[key]) for key in saved.weights)
    assert read_whole(path)[1] == resume


def test_the_file_has_the_layout_of_format_1(path: Path) -> None:
    write_saved(path, saved_v0(), RESUME)
    content = torch.load(path, weights_only=True)
    assert list(content) == ["format", "model", "weights", "trained", "resume"]
    assert content["format"] == 1
    assert content["model"] == {
        "name": "v0",
        "hash": None,
        "input_size": 28,
        "normalize": "dataset",
        "classes": list(CLASS_NAMES),
    }


def test_the_same_model_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    write_saved(path, saved_v0(), RESUME)
    write_saved(tmp_path / "again.pt", saved_v0(), RESUME)
    assert path.read_bytes() == (tmp_path / "again.pt").read_bytes()


def test_a_loaded_model_answers_as_the_live_one(path: Path) -> None:
    torch.manual_seed(3)
    live = build_model("resnet8")
    images = torch.rand(5, 1, 28, 28)
    live(images)  # BatchNorm statistics of its own
    write_saved(path, saved_model_of(live, name="resnet8", recipe=DEFAULT, trained={}))
    before = torch.get_rng_state()
    loaded = load_model(read_saved(path))
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(module.training for module in loaded.modules())
    assert torch.equal(loaded(images), live.eval()(images))
    assert int(loaded.stem[1].num_batches_tracked) == 1  # type: ignore[index, union-attr]


def test_weights_are_copies_at_rest() -> None:
    live = build_model("v2").to(memory_format=torch.channels_last)
    weights = saved_model_of(live, name="v2", recipe=DEFAULT, trained={}).weights
    assert not live.state_dict()["2.weight"].is_contiguous()
    assert all(tensor.is_contiguous() and not tensor.requires_grad for tensor in weights.values())
    with torch.no_grad():
        live[0].weight.zero_()  # type: ignore[index]
    assert weights["0.weight"].abs().sum() > 0


def test_a_view_into_a_large_tensor_is_saved_alone(path: Path) -> None:
    write_saved(path, saved_v0())
    live = build_model("v0")
    flat = torch.zeros(2**20)
    live[1].bias.data = flat[:10]  # type: ignore[index]
    size = path.stat().st_size
    write_saved(path, saved_model_of(live, name="v0", recipe=DEFAULT, trained=TRAINED))
    assert path.stat().st_size == size


def test_a_parallel_wrapper_leaves_no_trace() -> None:
    bare = build_model("v0")
    saved = saved_model_of(nn.DataParallel(bare), name="v0", recipe=DEFAULT, trained={})
    assert list(saved.weights) == list(bare.state_dict())


@pytest.mark.parametrize(("recipe", "size"), [(DEFAULT, 28), (R1_RESNET50, 16)])
def test_the_input_size_is_the_one_trained_on(recipe: Recipe, size: int) -> None:
    saved = saved_model_of(build_model("v0"), name="v0", recipe=recipe, trained={})
    assert (saved.input_size, saved.normalize) == (size, recipe.normalize)


def test_writing_replaces_the_file_at_once_or_not_at_all(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_saved(path, saved_v0())
    before = path.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        wanted = f"cannot write {path}: No space left on device"
        assert refusal(write_saved, path, saved_v0(normalize="half")) == wanted
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    write_saved(path, saved_v0(normalize="half"))
    assert read_saved(path).normalize == "half"


@pytest.mark.parametrize(
    ("value", "kind"),
    [(np.float64(1.5), "float64"), (np.zeros(3), "ndarray"), ({1}, "set"), (Path(), "PosixPath")],
)
def test_what_could_not_be_read_back_is_not_written(path: Path, value: object, kind: str) -> None:
    with pytest.raises(TypeError, match=rf"not {kind} at \['trained'\]\['losses'\]\[1\]$"):
        write_saved(path, saved_v0(trained={"losses": [0.5, value]}))
    with pytest.raises(TypeError, match=rf"not {kind} at \['resume'\]\['x'\]$"):
        write_saved(path, saved_v0(), {"x": value})
    assert not path.exists()


def test_a_state_that_is_no_tensor_is_refused() -> None:
    class Stateful(nn.Linear):
        def get_extra_state(self) -> str:
            return "more"

    with pytest.raises(TypeError, match="the state dict holds str"):
        saved_model_of(Stateful(2, 2), name="v0", recipe=DEFAULT, trained={})


class Foreign:
    """What only code can unpack."""


def write_half(path: Path) -> None:
    write_saved(path, saved_v0())
    path.write_bytes(path.read_bytes()[:-2000])


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("name", "content")


def write_changed(path: Path, **changes: object) -> None:
    write_saved(path, saved_v0())
    torch.save(torch.load(path, weights_only=True) | changes, path)


NO_TORCH_FILE = "is no file of torch.save, or a damaged one"
WRONG_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("hello"), NO_TORCH_FILE),
    "json": (lambda path: path.write_text('{"format": 1}'), NO_TORCH_FILE),
    "empty": (lambda path: path.touch(), NO_TORCH_FILE),
    "half": (write_half, NO_TORCH_FILE),
    "zip": (write_zip, NO_TORCH_FILE),
    "pickle": (lambda path: path.write_bytes(pickle.dumps([1], 4)), NO_TORCH_FILE),
    "folder": (lambda path: path.mkdir(), "is a folder; name a file"),
    "whole model": (
        lambda path: torch.save(build_model("v0"), path),
        "holds an object of torch.nn.modules.container.Sequential, and reading it would run code",
    ),
    "foreign class": (
        lambda path: torch.save({"format": 1, "x": Foreign()}, path),
        "test_saved_model.Foreign, and reading it would run code",
    ),
    "tensor": (lambda path: torch.save(torch.zeros(3), path), "holds a Tensor, no saved model"),
    "other dict": (lambda path: torch.save({"epoch": 3}, path), "it has no format, only epoch"),
    "newer": (
        lambda path: write_changed(path, format=2),
        "was written by a newer fmnist-bench (format 2, this one reads up to 1); update",
    ),
    "no weights": (
        lambda path: torch.save({"format": 1, "model": {}}, path),
        "is no saved model: it lacks 'weights'",
    ),
    "weights": (
        lambda path: write_changed(path, weights={"0.weight": 3}),
        "is no saved model: its weights are not tensors by name",
    ),
    "normalization": (
        lambda path: write_saved(path, saved_v0(normalize="nope")),
        "is no saved model: unknown normalization 'nope'",
    ),
    "classes": (
        lambda path: write_saved(path, saved_v0(classes=("shoe",))),
        "is no saved model: its classes are not 10 names",
    ),
    "size": (
        lambda path: write_saved(path, saved_v0(input_size=0)),
        "is no saved model: an input size of 0",
    ),
    "resume": (lambda path: write_changed(path, resume=[1]), "resume is no dict"),
}


@pytest.mark.parametrize("fault", WRONG_FILES)
def test_a_wrong_file_is_one_line_with_its_name(tmp_path: Path, fault: str) -> None:
    write, wanted = WRONG_FILES[fault]
    path = tmp_path / "model.pt"
    write(path)
    line = refusal(read_saved, path)
    assert str(path) in line
    assert wanted in line


def test_a_missing_file_is_one_line(path: Path) -> None:
    assert refusal(read_saved, path) == f"there is no file {path}; name a file of a saved model"
