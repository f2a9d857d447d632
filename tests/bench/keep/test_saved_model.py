"""Saved models: what is written comes back to the bit, and a wrong file is one line."""

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
    MAX_SIDE,
    SavedModel,
    load_model,
    read_saved,
    read_whole,
    saved_model_of,
    write_saved,
)
from bench.spec.named_recipes import DEFAULT, R1_RESNET50
from bench.spec.run_spec import file_hash
from data_pipeline import CLASS_NAMES
from fmnist_models import ModelError, build_model
from fmnist_models.external import files_beside

pytestmark = pytest.mark.usefixtures("one_thread")
RESUME = {"optimizer": {"state": {0: {"step": torch.tensor(3.0)}}}, "progress": [1, 2.5, None]}
TRAINED = {"budget": "3epochs", "seed": 1, "epoch": 2, "which": "best", "accuracy": 0.875}


def saved_of(model: nn.Module, name: str = "v0", **options: Any) -> SavedModel:  # noqa: ANN401
    given: dict[str, Any] = {"recipe": DEFAULT, "trained": TRAINED} | options
    return saved_model_of(model, name=name, **given)


def saved_v0(**changes: Any) -> SavedModel:  # noqa: ANN401 - any field
    torch.manual_seed(0)
    return replace(saved_of(build_model("v0")), **changes)


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
    content = torch.load(path, weights_only=True)
    keys = ["format", "model", "weights", "trained", *(["resume"] if resume else [])]
    assert (list(content), content["format"]) == (keys, 1)
    assert list(content["model"]) == ["name", "hash", "input_size", "normalize", "classes"]


def test_a_loaded_model_answers_as_the_live_one(path: Path) -> None:
    torch.manual_seed(3)
    live = build_model("resnet8")
    images = torch.rand(5, 1, 28, 28)
    live(images)  # BatchNorm statistics of its own
    write_saved(path, saved_of(live, "resnet8"))
    before = torch.get_rng_state()
    loaded = load_model(read_saved(path))
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(module.training for module in loaded.modules())
    assert torch.equal(loaded(images), live.eval()(images))
    assert int(loaded.stem[1].num_batches_tracked) == 1  # type: ignore[index, union-attr]


def test_weights_are_copies_at_rest() -> None:
    live = build_model("v2").to(memory_format=torch.channels_last)
    weights = saved_of(live, "v2").weights
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
    write_saved(path, saved_of(live))
    assert path.stat().st_size == size


def test_a_parallel_wrapper_leaves_no_trace() -> None:
    bare = build_model("v0")
    saved = saved_of(nn.DataParallel(bare))
    assert list(saved.weights) == list(bare.state_dict())


@pytest.mark.parametrize(("recipe", "size"), [(DEFAULT, 28), (R1_RESNET50, 16)])
def test_the_input_size_is_the_one_trained_on(recipe: Recipe, size: int) -> None:
    saved = saved_of(build_model("v0"), recipe=recipe)
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
        saved_of(Stateful(2, 2))


class Foreign:
    """What only code can unpack."""


def half(path: Path) -> None:
    write_saved(path, saved_v0())
    path.write_bytes(path.read_bytes()[:-2000])


Write = Callable[[Path], object]


def of(content: object) -> Write:
    return lambda path: torch.save(content, path)


def with_fields(**changes: Any) -> Write:  # noqa: ANN401
    return lambda path: write_saved(path, saved_v0(**changes))


def with_keys(**changes: object) -> Write:
    def write(path: Path) -> None:
        write_saved(path, saved_v0())
        torch.save(torch.load(path, weights_only=True) | changes, path)

    return write


# what is no file of torch.save at all is held in tests/fmnist_models/test_weight_files.py
@pytest.mark.parametrize(
    ("write", "wanted"),
    [
        (half, "is no file of torch.save, or a damaged one"),
        (of({"format": 1, "x": Foreign()}), "Foreign, and reading it would run code"),
        (of(torch.zeros(3)), "holds a Tensor, no saved model"),
        (of({"epoch": 3}), "it has no format, only epoch"),
        (of({"format": 0}), "it has no format, only format"),
        (of({"format": 1, "model": {}}), "is no saved model: it lacks 'weights'"),
        (
            with_keys(format=2),
            "was written by a newer fmnist-bench (format 2, this one reads up to 1); update",
        ),
        (with_keys(weights={"0.weight": 3}), "no saved model: its weights are not tensors by name"),
        (with_keys(resume=[1]), "resume is no dict"),
        (with_fields(normalize="nope"), "is no saved model: unknown normalization 'nope'"),
        (with_fields(classes=("shoe",)), "is no saved model: its classes are not 10 names"),
        (with_fields(input_size=0), "is no saved model: an input size of 0"),
        (with_fields(input_size=MAX_SIDE + 1), "is no saved model: an input size of 2049"),
        (with_fields(name=3), "is no saved model: the model has no name"),
        (with_fields(model_hash=3), "is no saved model: the model's hash is no text"),
        (with_fields(trained={"recipe": 3}), "is no saved model: its recipe is no dict"),
    ],
)
def test_a_wrong_file_is_one_line_with_its_name(tmp_path: Path, write: Write, wanted: str) -> None:
    path = tmp_path / "model.pt"
    write(path)
    line = refusal(read_saved, path)
    assert str(path) in line
    assert wanted in line


def v0_weights(**changes: torch.Tensor) -> dict[str, Any]:
    return {"weights": build_model("v0").state_dict() | {f"2.{k}": v for k, v in changes.items()}}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"name": "v9"}, ": unknown model 'v9'; choose from v0"),
        ({"name": "gone.py:Net"}, "needs the model file gone.py: No such file"),
        ({"weights": build_model("v2").state_dict()}, " does not fit v0: it has no tensor 1.weigh"),
        (v0_weights(weight=torch.zeros(10, 11)), "its 2.weight is (10, 11), not (10, 10)"),
        (v0_weights(bias=torch.zeros(10) * 1j), "its 2.bias is complex, not real; name another"),
        (v0_weights(weight=torch.eye(10) / 0), "its 2.weight holds no finite numbers; name anothe"),
    ],
)
def test_weights_that_do_not_fit_are_one_line_with_the_name_of_the_file(
    path: Path, changes: dict[str, Any], wanted: str
) -> None:
    line = refusal(load_model, saved_v0(path=path, **changes))
    assert str(path) in line
    assert wanted in line
    assert ("name another file, or train anew" in line) == ("weights" in changes)


NET = "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))"
TOUCHES = "import pathlib\npathlib.Path('executed').touch()\n"


def test_a_users_own_files_must_be_those_trained_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {"net.py": f"import sizes\n{NET}", "sizes.py": "WIDTH = 8\n"}
    assert all(Path(name).write_text(text) for name, text in texts.items())
    live, beside = build_model("net.py:net"), files_beside("net.py:net")
    given = {"model_hash": file_hash("net.py:net", beside), "model_files": beside}
    write_saved(Path("m.pt"), saved_of(live, "net.py:net", **given))
    saved = read_saved(Path("m.pt"))
    assert {"model_hash": saved.model_hash, "model_files": saved.model_files} == given
    assert torch.equal(load_model(saved)[1].weight, live[1].weight)  # type: ignore[index]
    wanted = "m.pt: it was trained with another text of net.py and sizes.py; put that back, or say"
    for name, text in texts.items():
        Path(name).write_text(TOUCHES + text)
        assert refusal(load_model, saved).startswith(wanted)
        assert not Path("executed").exists()
        Path(name).write_text(text)
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
    saved = saved_of(live, name, model_hash=file_hash(name))
    assert torch.equal(load_model(saved).head.weight, live.head.weight)  # type: ignore[arg-type, union-attr]
