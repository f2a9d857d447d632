"""ImageNet weights out of torch.hub's cache folder; no network is touched."""

import hashlib
import os
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from fmnist_models import ModelError, weight_files
from fmnist_models.pretrained import Start, start_from
from fmnist_models.weight_files import fetch_imagenet
from tests.fmnist_models.weights_by_hand import HEAD_RANDOM, built, refusal_of, states, unlike

pytestmark = pytest.mark.usefixtures("one_thread")
RESNET18, RESNET50 = "resnet18-f37072fd.pth", "resnet50-0676ba61.pth"  # as torchvision names them


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of torch.hub, and a network that refuses."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.chdir(tmp_path)
    block(monkeypatch)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def block(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> list[str]:
    """Make every request fail; return the list to which their addresses are added."""
    asked: list[str] = []

    def refuse(request: urllib.request.Request, timeout: float | None = None) -> None:
        asked.append(request.full_url)
        raise error or urllib.error.URLError(OSError("Temporary failure in name resolution"))

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    return asked


def published(name: str) -> nn.Module:
    """A three-channel network for 1000 classes whose BatchNorm has seen something."""
    torch.manual_seed(7)
    model: nn.Module = models.get_model(name, weights=None)
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    return model.eval()


@pytest.fixture(scope="module")
def imagenet18(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that stands for the published weights of ResNet-18."""
    path = tmp_path_factory.mktemp("published") / RESNET18
    torch.save(published("resnet18").state_dict(), path)
    return path


def test_random_changes_nothing_and_says_nothing() -> None:
    model = built("v2")
    before = states(model)
    assert start_from(model, "v2", "random", "rgb_sum") == Start(False, None)
    assert not unlike(states(model), before)


@pytest.mark.parametrize(
    ("name", "stem", "at_random"),
    [
        ("resnet18", "rgb_sum", "head"),
        ("resnet18", "random", "stem, head"),
        ("resnet18_3x3", "rgb_sum", "stem (7x7 does not go into 3x3), head"),
    ],
)
def test_imagenet_weights_from_the_cache_folder_but_for_what_does_not_fit(
    hub: Path, imagenet18: Path, name: str, stem: str, at_random: str
) -> None:
    os.link(imagenet18, hub / RESNET18)
    model = built(name)
    own, source, drawn = states(model), torch.load(imagenet18), torch.get_rng_state()
    assert start_from(model, name, "imagenet", stem) == Start(True, f"at random: {at_random}")
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(parameter.requires_grad for parameter in model.parameters())
    random = {"fc.weight", "fc.bias"}
    assert unlike(states(model), source) == random | {"conv1.weight"}
    if at_random == "head":
        summed = source["conv1.weight"].sum(dim=1, keepdim=True)
        assert torch.equal(model.get_parameter("conv1.weight"), summed)
    else:
        random.add("conv1.weight")
    assert not random & unlike(states(model), own)


def test_the_sum_of_the_stem_is_the_grey_channel_repeated(hub: Path, imagenet18: Path) -> None:
    os.link(imagenet18, hub / RESNET18)
    ours, theirs = built("resnet18").eval(), published("resnet18")
    start_from(ours, "resnet18", "imagenet", "rgb_sum")
    grey = torch.rand(4, 1, 28, 28)
    with torch.no_grad():
        one = ours.get_submodule("conv1")(grey)
        three = theirs.get_submodule("conv1")(grey.expand(-1, 3, -1, -1))
        assert (one - three).norm() < 5e-7 * three.norm()
        ours.set_submodule("fc", nn.Identity())
        theirs.set_submodule("fc", nn.Identity())
        torch.testing.assert_close(ours(grey), theirs(grey.expand(-1, 3, -1, -1)))


@pytest.mark.slow
def test_resnet50_keeps_its_own_head_of_two_layers(hub: Path) -> None:
    source = published("resnet50").state_dict()
    torch.save(source, hub / RESNET50)
    model = built("resnet50")
    random = states(model)
    assert start_from(model, "resnet50", "imagenet", "rgb_sum") == HEAD_RANDOM
    head = {f"fc.{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")}
    theirs = {"fc.weight", "fc.bias"}
    assert unlike(states(model), source) == head | theirs | {"conv1.weight"}
    assert not head & unlike(states(model), random)


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_weights_of_other_torchvision_models(hub: Path, name: str) -> None:
    source = published(name).state_dict()
    url = models.get_model_weights(name).IMAGENET1K_V1.url
    torch.save(source, hub / url.rpartition("/")[2])
    model = built(f"torchvision:{name}")
    assert start_from(model, f"torchvision:{name}", "imagenet", "rgb_sum") == HEAD_RANDOM
    assert len(unlike(states(model), source)) == 3  # stem; weight and bias of the head


def test_auxiliary_heads_of_googlenet_are_left_behind(hub: Path) -> None:
    source = models.get_model("googlenet", weights=None, init_weights=False).state_dict()
    assert any(key.startswith("aux1.") for key in source)
    torch.save(source, hub / "googlenet-1378be20.pth")
    name = "torchvision:googlenet"
    assert start_from(built(name), name, "imagenet", "rgb_sum") == HEAD_RANDOM


def test_older_files_that_count_no_batches(hub: Path) -> None:
    source = published("resnet18").state_dict()
    older = {key: t for key, t in source.items() if not key.endswith("num_batches_tracked")}
    torch.save(older, hub / RESNET18)
    assert start_from(built("resnet18"), "resnet18", "imagenet", "rgb_sum") == HEAD_RANDOM


@pytest.mark.parametrize("name", ["v0", "resnet8", "timm:resnet18", "net.py:Net"])
def test_what_has_no_imagenet_weights(name: str) -> None:
    with pytest.raises(ModelError) as refusal:
        start_from(nn.Linear(1, 1), name, "imagenet", "rgb_sum")
    assert str(refusal.value) == (
        f"there are no ImageNet weights for {name}; choose --set weights=random or a file"
    )


def test_without_a_network_the_model_stays_random_and_says_so() -> None:
    model = built("resnet18")
    before = states(model)
    reason = "ImageNet weights cannot be had: Temporary failure in name resolution"
    assert start_from(model, "resnet18", "imagenet", "rgb_sum") == Start(False, reason)
    assert not unlike(states(model), before)


def test_the_network_is_asked_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = block(monkeypatch)
    assert fetch_imagenet("resnet18") == fetch_imagenet("resnet18_3x3")
    assert asked == [f"https://download.pytorch.org/models/{RESNET18}"]


def test_a_network_that_is_silent_is_waited_for_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_files, "ANSWER_S", 0.1)
    has_ended = threading.Event()
    monkeypatch.setattr(urllib.request, "urlopen", lambda _request, timeout: has_ended.wait())
    reason = fetch_imagenet("resnet18")  # comes while the request is still under way
    has_ended.set()
    assert reason == "no answer in 0.1 s"


def test_a_server_that_refuses_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    block(monkeypatch, urllib.error.HTTPError("https://x/y", 403, "Forbidden", None, None))  # type: ignore[arg-type]
    assert fetch_imagenet("resnet18") == "Forbidden"


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_download_is_kept_where_its_hash_is_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_whole: bool
) -> None:
    monkeypatch.undo()  # urlopen itself, which also opens file:// addresses
    content = b"weights"
    digest = hashlib.sha256(content).hexdigest()[:8]
    source, path = tmp_path / f"net-{digest}.pth", tmp_path / "a" / "b" / f"net-{digest}.pth"
    source.write_bytes(content if is_whole else content[:-1])
    reason = weight_files._download(source.as_uri(), path)
    assert (reason is None) == is_whole
    assert is_whole or str(reason).startswith("invalid hash value")
    assert list(path.parent.iterdir()) == ([path] if is_whole else [])


def test_a_cached_file_that_is_damaged_is_named(hub: Path) -> None:
    (hub / RESNET18).write_bytes(b"half")
    assert refusal_of("resnet18", "imagenet").startswith(f"{hub / RESNET18} is no file of torch")
