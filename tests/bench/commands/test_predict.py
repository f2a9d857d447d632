"""The command `predict`: what it answers is what the model says, and what is wrong is one line."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from bench.errors import UsageError
from bench.keep.classifier import Claim, Classifier
from bench.keep.saved_model import saved_model_of, write_saved
from bench.spec.named_recipes import CLASSIC, R0_RESNET4
from bench.spec.run_spec import file_hash
from bench.train.evaluation import evaluate
from data_pipeline import CLASS_NAMES, normalize, place
from fmnist_models import build_model
from tests.bench.keep.saved_by_hand import answers, fashion_mnist, saved_v0, trained_v0
from tests.command_line import Finished, assert_refused

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
NAMES = ("0.png", "1.png", "[bold]:key:2.png")


@pytest.fixture
def folder(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a saved model and images of the test set."""
    monkeypatch.chdir(tmp_path)
    write_saved(Path("v0.pt"), saved_v0(data_root))
    for name, image in zip(NAMES, fashion_mnist(data_root).test_images, strict=False):
        Image.fromarray(image[0].numpy()).save(name)
    return tmp_path


Say = Callable[..., Finished]


@pytest.fixture
def say(folder: Path, on_data: Say) -> Say:
    """Calls `predict` in that folder."""
    return partial(on_data, "predict", "--device=cpu")


def loaded(finished: Finished) -> Any:  # noqa: ANN401 - JSON
    assert (finished.returncode, finished.stderr) == (0, "")
    return json.loads(finished.stdout)


def test_json_has_an_object_an_image_with_the_models_own_probabilities(
    say: Say, data_root: Path
) -> None:
    found = loaded(say("v0.pt", *NAMES, "--format", "json", "--top", "10"))
    images = fashion_mnist(data_root).test_images[:3]
    with torch.inference_mode():
        wanted = trained_v0(data_root)(normalize(images, "unit")).softmax(dim=1)
    assert [answer["image"] for answer in found] == list(NAMES)
    for answer, row in zip(found, wanted, strict=True):
        classes = answer["classes"]
        assert [one["label"] for one in classes] == row.argsort(descending=True).tolist()
        assert [one["class"] for one in classes] == [CLASS_NAMES[one["label"]] for one in classes]
        assert [one["probability"] for one in classes] == pytest.approx(
            row.sort().values.tolist()[::-1]
        )
        assert sum(one["probability"] for one in classes) == pytest.approx(1, abs=1e-6)


def test_a_table_has_the_first_three_classes_of_each_image(say: Say) -> None:
    done = say("v0.pt", *NAMES)
    answers = loaded(say("v0.pt", *NAMES, "--format", "json"))
    cells = [line.rsplit(maxsplit=2) for line in done.stdout.splitlines() if line.endswith("%  ")]
    assert [share for _, share, _ in cells] == [
        f"{one['probability'] * 100:.1f}" for answer in answers for one in answer["classes"]
    ]
    names = [one["class"] for answer in answers for one in answer["classes"]]
    assert all(text.endswith(name) for (text, *_), name in zip(cells, names, strict=True))
    assert all(name in done.stdout for name in NAMES)  # and no markup of rich's
    assert len(cells) == 9


def test_inversion_is_handed_on(say: Say) -> None:
    Image.open("0.png").point(lambda value: 255 - value).save("light.png")
    photos = ("light.png", "--format", "json")
    auto, kept = loaded(say("v0.pt", *photos)), loaded(say("v0.pt", *photos, "--invert", "no"))
    plain = loaded(say("v0.pt", "0.png", "--format", "json"))
    assert auto[0]["classes"] == plain[0]["classes"] != kept[0]["classes"]


def test_mistakes_are_the_first_ones_of_the_test_set(say: Say, data_root: Path) -> None:
    found = loaded(say("v0.pt", "--mistakes", "5", "--format", "json"))
    data, model = fashion_mnist(data_root), trained_v0(data_root)
    predicted = answers(model, data.test_images)
    wrong = (predicted != data.test_labels).nonzero().flatten().tolist()
    split = place(data.test_images, data.test_labels, "cpu", 28)
    quality = evaluate(model, split, normalization="unit", precision="fp32")
    assert (found["num_images"], found["num_mistakes"]) == (10_000, len(wrong))
    assert found["accuracy"] == quality.accuracy
    assert [one["index"] for one in found["mistakes"]] == wrong[:5]
    for one in found["mistakes"]:
        assert one["true_class"] == CLASS_NAMES[data.test_labels[one["index"]]]
        assert one["predicted_class"] == CLASS_NAMES[predicted[one["index"]]]
        assert 0.1 < one["probability"] <= 1


def test_mistakes_for_a_reader(say: Say) -> None:
    done = say("v0.pt", "--mistakes", "2")
    found = loaded(say("v0.pt", "--mistakes", "2", "--format", "json"))
    count, share = found["num_mistakes"], found["accuracy"] * 100
    wanted = f"{count:,} of 10,000 test images wrong: accuracy {share:.2f} %"
    assert done.stdout.splitlines()[-1] == wanted
    rows = [line.split() for line in done.stdout.splitlines() if line.endswith("%  ")]
    assert [int(row[0]) for row in rows] == [one["index"] for one in found["mistakes"]]


def test_a_model_trained_on_test_images_is_told_apart(say: Say, data_root: Path) -> None:
    swapped = replace(CLASSIC, split="swapped", protocol="as_published")
    model = trained_v0(data_root)
    write_saved(Path("s.pt"), saved_model_of(model, name="v0", recipe=swapped, trained={}))
    done = say("s.pt", "--mistakes", "1")
    assert done.returncode == 0
    assert (
        done.stderr
        == "this model was trained on the test images: its mistakes there are no test of it\n"
    )


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("nest", [None, "state_dict"])
def test_a_bare_state_dict_with_what_it_lacks(say: Say, prefix: str, nest: str | None) -> None:
    weights = torch.load("v0.pt", weights_only=True)["weights"]
    bare = {f"{prefix}{name}": tensor for name, tensor in weights.items()}
    torch.save(bare if nest is None else {nest: bare, "epoch": 3}, "bare.pth")
    options = ("0.png", "--format", "json")
    claimed = say("bare.pth", "--model", "v0", "--input-size", "28", *options)
    assert loaded(claimed) == loaded(say("v0.pt", *options))
    torch.save({"net": bare, "ema": bare}, "two.pth")
    of_two = say("two.pth", "--model", "v0", "--input-size", "28", *options)
    assert of_two.stderr == "two.pth: weights under ['net'], not ['ema']\n"
    other = say("bare.pth", "--model", "v0", "--input-size", "28", "--normalize", "half", *options)
    assert loaded(other) != loaded(claimed)


def test_a_provided_model_goes_by_its_name(
    say: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    provided = {"shoes": tmp_path / "v0.pt"}
    monkeypatch.setattr("bench.commands.predict.provided_models", lambda: provided)
    options = ("0.png", "--format", "json")
    assert loaded(say("shoes", *options)) == loaded(say("v0.pt", *options))


def test_a_users_own_model(say: Say) -> None:
    layers = "nn.Flatten(), nn.LazyLinear(10)"
    text = f"from torch import nn\ndef net():\n    return nn.Sequential({layers})\n"
    Path("net.py").write_text(text)
    live = build_model("net.py:net")
    write_saved(
        Path("n.pt"),
        saved_model_of(
            live, name="net.py:net", recipe=CLASSIC, trained={}, model_hash=file_hash("net.py:net")
        ),
    )
    before = loaded(say("n.pt", "0.png", "--format", "json"))
    Path("net.py").write_text(f"# changed\n{text}")
    assert_refused(say("n.pt", "0.png"), "n.pt: it was trained with another text of net.py")
    named = say("n.pt", "0.png", "--format", "json", "--model", "net.py:net")
    assert loaded(named) == before


def write_resnet4(size: int, path: str) -> None:
    recipe = replace(R0_RESNET4, input_size=size)
    model = build_model("resnet4")
    write_saved(Path(path), saved_model_of(model, name="resnet4", recipe=recipe, trained={}))


def test_the_size_of_the_images_is_the_models(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[torch.Size] = []

    def note(self: Classifier, images: torch.Tensor) -> torch.Tensor:
        sizes.append(images.shape)
        return torch.full((len(images), 10), 0.1)

    monkeypatch.setattr(Classifier, "probabilities", note)
    write_resnet4(96, "r.pt")
    assert say("r.pt", *NAMES).returncode == 0
    assert sizes == [(3, 1, 96, 96)]


MISTAKES: dict[str, tuple[list[str], str]] = {
    "both asked": (["v0.pt", "0.png", "--mistakes", "3"], "one of both"),
    "no image": (["v0.pt", "0.png", "gone.png"], "there is no image gone.png"),
    "model as image": (["v0.pt", "v0.pt"], "v0.pt is no image that can be read"),
    "image as model": (["0.png", "0.png"], "0.png is no file of torch.save, or a damaged one"),
    "folder": ([".", "0.png"], ". is a folder; name a file of a saved model"),
    "other model": (["v0.pt", "0.png", "--model", "v2"], "v0.pt is a v0; leave --model v2 out"),
    "other size": (
        ["r.pt", "0.png", "--input-size", "28"],
        "r.pt was trained on 96x96 images; leave --input-size 28 out",
    ),
    "other normalization": (
        ["v0.pt", "0.png", "--normalize", "half"],
        "v0.pt was normalised by unit; leave --normalize half out",
    ),
    "bare": (
        ["bare.pth", "0.png"],
        "bare.pth holds weights alone, not whose they are; add --model",
    ),
    "half said": (["bare.pth", "0.png", "--model", "v0"], "add --model NAME and --input-size"),
    "bare of another": (
        ["bare.pth", "0.png", "--model", "v2", "--input-size", "28"],
        "bare.pth does not fit v2: it has no tensor 0.weight; name another file",
    ),
    "bare of nothing": (
        ["bare.pth", "0.png", "--model", "v9", "--input-size", "28"],
        "bare.pth: unknown model 'v9'",
    ),
    "bare of no file": (
        ["bare.pth", "0.png", "--model", "gone.py:net", "--input-size", "28"],
        "cannot read gone.py:net: No such file",
    ),
    "bare, unknown": (
        ["bare.pth", "0.png", "--model", "v0", "--input-size", "28", "--normalize", "nope"],
        "unknown normalization 'nope'; choose from unit, dataset, half",
    ),
    "impossible size": (
        ["bare.pth", "0.png", "--model", "v0", "--input-size", "96"],
        "v0 fails on 96x96 images: mat1 and mat2 shapes cannot be multiplied",
    ),
    "no weights": (["other.pth", "0.png"], "other.pth holds no state dict; write it with"),
    "not finite": (["nan.pt", "0.png"], "nan.pt does not fit v0: its 1.weight holds no finite"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(say: Say, data_root: Path, mistake: str) -> None:
    words, wanted = MISTAKES[mistake]
    if "r.pt" in words:
        write_resnet4(96, "r.pt")
    saved = saved_v0(data_root)
    torch.save(dict(saved.weights), "bare.pth")
    torch.save({"epoch": 3}, "other.pth")
    broken = {name: tensor / 0 for name, tensor in saved.weights.items()}
    write_saved(Path("nan.pt"), replace(saved, weights=broken))
    assert_refused(say(*words), wanted)


def test_answers_must_be_ten_logits(folder: Path) -> None:
    classifier = Classifier.open(folder / "v0.pt", Claim(), CPU)
    wrong = replace(classifier, model=torch.nn.Flatten())
    with pytest.raises(UsageError, match=r"^v0 gives shape \(2, 784\), not logits \(2, 10\)$"):
        wrong.probabilities(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))


def test_a_model_that_is_always_right_has_no_mistakes(folder: Path, data_root: Path) -> None:
    classifier = Classifier.open(folder / "v0.pt", Claim(), CPU)
    images = fashion_mnist(data_root).test_images[:50]
    split = place(images, answers(trained_v0(data_root), images), "cpu", 28)
    found = classifier.mistakes(split, 3)
    assert (found.first, found.num_mistakes, found.accuracy) == ([], 0, 1.0)
