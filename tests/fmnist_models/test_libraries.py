"""Models of torchvision and timm: which images they take, how they are fitted, what is refused."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from fmnist_models import ModelError, ModelInfo, build_model, libraries, model_info


def refusal_of(name: str) -> str:
    with pytest.raises(ModelError) as refusal:
        build_model(name)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


# 2,542,856 parameters published, less two colours of a 3x3x16 stem, less 990 classes of 1024 + 1
MOBILENET = 2_542_856 - 2 * 9 * 16 - 990 * 1025


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("mobilenet_v3_small", MOBILENET), ("squeezenet1_1", 726_474), ("googlenet", None)],
    ids=["linear at the end", "convolution at the end", "auxiliary heads"],
)
def test_a_torchvision_model_is_adapted(name: str, parameters: int | None) -> None:
    model = build_model(f"torchvision:{name}")
    assert parameters in {None, sum(p.numel() for p in model.parameters())}
    assert model.training
    assert model(torch.rand(2, 1, 28, 28)).shape == (2, 10)


def test_a_model_that_needs_larger_images_gets_the_smallest_that_it_takes() -> None:
    """Catches that it is refused, as all were that cannot do with 28 pixels."""
    summary = "torchvision's densenet121 with random weights, one channel and ten classes"
    wanted = ModelInfo("torchvision:densenet121", 32, None, "torchvision", summary)
    assert model_info(wanted.name) == wanted
    assert build_model(wanted.name)(torch.rand(2, 1, 32, 32)).shape == (2, 10)


def test_looking_for_the_size_draws_no_weights_of_the_model() -> None:
    """Catches that the first build of a process differs from the second of the same seed."""
    libraries._fit_of.cache_clear()
    weights = []
    for _ in range(2):
        torch.manual_seed(0)
        weights.append(torch.cat([p.flatten() for p in build_mobilenet().parameters()]))
    assert torch.equal(*weights)
    assert all(not b.any() for n, b in build_mobilenet().named_buffers() if "batches" in n)


def build_mobilenet() -> nn.Module:
    return build_model("torchvision:mobilenet_v3_small")


@pytest.mark.parametrize(
    ("name", "close"),
    [("mobilenet_v3_smal", "mobilenet_v3_small"), ("fasterrcnn_resnet50_fpn", "resnet50")],
)
def test_an_unknown_torchvision_name_gets_close_matches(name: str, close: str) -> None:
    message = refusal_of(f"torchvision:{name}")
    assert message.startswith(f"unknown model 'torchvision:{name}'; the closest names are ")
    assert close in message


class Patches(nn.Module):
    """Cuts images of one size into patches of 16 pixels a side, as timm's transformers do."""

    def __init__(self, img_size: int = 224) -> None:
        super().__init__()
        self.img_size = img_size
        self.patch_size = (16, 16)
        self.stem = nn.Conv2d(1, 10, 16, 16)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        assert images.shape[-1] == self.img_size
        return self.stem(images).mean((2, 3))  # type: ignore[no-any-return]


class OddInTraining(nn.Sequential):
    """Needs 64 pixels, but only in training."""

    def __init__(self) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(28), nn.Flatten(), nn.Linear(784, 10))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10)."""
        if self.training and images.shape[-1] < 64:
            raise ValueError("Expected more than 1 value per channel when training")
        return super().forward(images)  # type: ignore[no-any-return]


def create_model(name: str, **arguments: object) -> nn.Module:
    """What timm builds: "resnet10t" takes no such arguments."""
    plain = {"pretrained": False, "in_chans": 1, "num_classes": 10}
    if name == "resnet10t":
        raise TypeError(f"{name} takes no in_chans\nand more")
    size = arguments.pop("img_size", None)
    assert arguments == plain
    if name == "only_400" and size != 400:
        raise RuntimeError("size mismatch")
    if name in {"patches", "only_400"}:
        return Patches() if size is None else Patches(size)  # type: ignore[arg-type]
    if size is not None:
        raise TypeError("ResNet.__init__() got an unexpected keyword argument 'img_size'")
    if name == "odd":
        return OddInTraining()
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10 if name != "seven" else 7))


@pytest.fixture
def _timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a small timm in the place of the one that may be installed."""
    timm = ModuleType("timm")
    timm.__spec__ = ModuleSpec("timm", None)
    known = ["resnet10t", "resnet10t.tagged", "patches", "only_400", "odd", "seven"]
    timm.__dict__.update(
        list_models=lambda: ["resnet10t"],
        is_model=lambda name: name in known,
        create_model=create_model,
        get_pretrained_cfg=lambda _name: SimpleNamespace(input_size=(3, 400, 400)),
    )
    monkeypatch.setitem(sys.modules, "timm", timm)
    libraries._fit_of.cache_clear()


@pytest.mark.usefixtures("_timm")
def test_timm_adapts_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(build_model("timm:resnet10t.tagged"), nn.Sequential)
    message = "unknown model 'timm:resnet10'; the closest names are resnet10t"
    assert refusal_of("timm:resnet10") == message
    message = "timm:resnet10t cannot be built: TypeError: resnet10t takes no in_chans"
    assert refusal_of("timm:resnet10t").startswith(message)
    monkeypatch.setitem(sys.modules, "timm", None)  # makes the import fail
    assert refusal_of("timm:resnet10t") == "timm:resnet10t needs timm; run: pip install timm"


@pytest.mark.usefixtures("_timm")
@pytest.mark.parametrize(
    ("name", "size"),
    [("resnet10t.tagged", 28), ("patches", 32), ("only_400", 400), ("odd", 64)],
    ids=[
        "any images",
        "whole patches, two a side",
        "its published size",
        "larger ones in training",
    ],
)
def test_the_size_is_the_smallest_that_works_in_both_modes(name: str, size: int) -> None:
    assert model_info(f"timm:{name}").input_size == size
    assert build_model(f"timm:{name}")(torch.rand(2, 1, size, size)).shape == (2, 10)


@pytest.mark.usefixtures("_timm")
def test_a_constructor_that_takes_the_size_is_given_the_one_that_the_recipe_asks_for() -> None:
    """Catches a transformer for 32 pixels under `--set input_size=64`, which it would refuse."""
    assert build_model("timm:patches", 64)(torch.rand(2, 1, 64, 64)).shape == (2, 10)
    assert model_info("timm:patches").input_size == 32


@pytest.mark.usefixtures("_timm")
def test_a_model_for_which_no_size_will_do_is_refused_with_the_remedy() -> None:
    message = refusal_of("timm:seven")
    assert message.startswith("timm:seven fails on images (2, 1, 512, 512): RuntimeError: ")
    assert message.endswith(f"; no size from 28 on will do: {libraries.IN_A_FILE}")
