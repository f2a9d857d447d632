"""Names: listing without torch, the catalogue, registering at run time, what `--models` accepts."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import fmnist_models
from fmnist_models import (
    ModelError,
    ModelInfo,
    build_model,
    list_models,
    model_info,
    register,
    registry,
    resolve_names,
)
from fmnist_models.catalogue import read_catalogue
from tests.command_line import finish

PACKAGE = Path(fmnist_models.__file__).parent
BASES = ["v0", "v1", "v2", "fashion_cnn", "alexnet", "resnet4", "resnet8", "resnet18", "resnet50"]
VARIANTS = [
    "v1_fixed",
    "fashion_cnn_relu",
    "alexnet224",
    "resnet4_dropout",
    "resnet8_postrelu",
    "resnet18_3x3",
]
WITHOUT_TORCH = """
import sys, time
from fmnist_models import list_models, model_info, resolve_names
started_s = time.process_time()
names = list_models()
listing_s = time.process_time() - started_s
model_info("resnet18")
resolve_names(f"all,resnet*,torchvision:any,timm:any,{sys.argv[1]}:TinyNet")
heavy = {"torch", "torchvision", "timm", "numpy", "pandas", "scipy"} & set(sys.modules)
print(len(names), sorted(heavy), listing_s < 0.05)
"""


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test register names that are forgotten after it."""
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))


def test_names_are_told_quickly_and_without_torch() -> None:
    example = PACKAGE.parent / "examples" / "tiny_net.py"
    done = finish(sys.executable, "-c", WITHOUT_TORCH, example)
    assert (done.returncode, done.stdout) == (0, "15 [] True\n"), done.stderr


def test_catalogue_equals_what_the_decorators_registered() -> None:
    families = PACKAGE / "families"
    for path in families.glob("*.py"):
        if path.stem != "__init__":
            importlib.import_module(f"{registry.FAMILIES}.{path.stem}")
    decorated = {
        (model.build.__module__, model.info)
        for model in registry._REGISTERED.values()
        if model.build.__module__.startswith("fmnist_models.")
    }
    catalogue = read_catalogue(families)
    assert decorated == {
        (f"{registry.FAMILIES}.{entry.module}", entry.info) for entry in catalogue.values()
    }
    assert len(decorated) == 15


def test_every_model_says_what_it_is_in_the_canonical_order() -> None:
    assert list_models() == BASES + VARIANTS
    assert list_models(variants=False) == BASES
    for name in BASES + VARIANTS:
        info = model_info(name)
        assert info.name == name
        assert info.summary.endswith(".")
        assert len(info.summary) > 20
        assert info.source != "user"
        assert info.variant_of is None if name in BASES else info.variant_of in BASES
        assert info.input_size == (224 if name == "alexnet224" else 28)


def test_adding_a_model_is_one_decorated_function_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "added.py").write_text(
        "from fmnist_models.registry import register\n"
        "@register('small', source='here')\n"
        "@register('large', input_size=56, variant_of='small', source='there')\n"
        "class Added:\n    '''A net.\n\n    More.\n    '''\n"
    )
    (tmp_path / "tiny.py").write_text("@register(name='first')\ndef first(): ...\n")
    (tmp_path / "other.py").write_text("# text without a decorator\n")
    assert [(entry.module, entry.info) for entry in read_catalogue(tmp_path).values()] == [
        ("tiny", ModelInfo("first", 28, None, "user", "")),
        ("added", ModelInfo("large", 56, "small", "there", "A net.")),
        ("added", ModelInfo("small", 28, None, "here", "A net.")),
    ]


@pytest.mark.parametrize(
    "decorator",
    ["register(NAME)", "register('a', input_size=SIZE)", "register('a', colour=1)", "register()"],
)
def test_a_decorator_that_cannot_be_read_is_refused(tmp_path: Path, decorator: str) -> None:
    (tmp_path / "bad.py").write_text(f"NAME = 'a'\n@{decorator}\ndef net(): ...\n")
    with pytest.raises(ModelError, match=r"^bad\.py line 2: @register takes one literal name"):
        read_catalogue(tmp_path)


def test_two_files_with_one_name_are_refused(tmp_path: Path) -> None:
    for stem in ("one", "two"):
        (tmp_path / f"{stem}.py").write_text("@register('same')\ndef net(): ...\n")
    with pytest.raises(ModelError, match=r"'same' is registered twice, in one\.py and two\.py"):
        read_catalogue(tmp_path)


@pytest.mark.usefixtures("fresh_registry")
def test_a_user_registers_at_run_time() -> None:
    @register("mine", input_size=32)
    def mine() -> nn.Module:
        """My own net.

        It is linear.
        """
        return nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 10))

    register("mine_too", variant_of="mine")(mine)
    assert list_models() == [*BASES, *VARIANTS, "mine", "mine_too"]
    assert list_models(variants=False) == [*BASES, "mine"]
    assert model_info("mine") == ModelInfo("mine", 32, None, "user", "My own net.")
    assert isinstance(build_model("mine"), nn.Sequential)
    assert build_model("mine") is not build_model("mine")
    assert resolve_names("mine*,v0") == ["mine", "mine_too", "v0"]
    with pytest.raises(ModelError, match="'mine' is already registered"):
        register("mine")(mine)


@pytest.mark.parametrize("name", ["v0", "resnet50"])
def test_a_shipped_name_cannot_be_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTERED", {})  # as before any family is imported
    with pytest.raises(ModelError, match=f"'{name}' is already registered"):
        register(name)(nn.Identity)


@pytest.mark.parametrize("name", ["all", "", "a,b", "torchvision:x", "v*", "a b", "net?"])
def test_a_name_that_cannot_be_asked_for_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="cannot be named"):
        register(name)(nn.Identity)


@pytest.mark.parametrize("name", ["v2", "resnet4", "resnet8"])
def test_the_seed_decides_the_weights(name: str) -> None:
    weights = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        weights.append(nn.utils.parameters_to_vector(build_model(name).parameters()))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ("all", BASES),
        ("v1", ["v1"]),
        (" v2 , v0,", ["v2", "v0"]),
        ("resnet8,all", ["resnet8", *[name for name in BASES if name != "resnet8"]]),
        ("v[01]", ["v0", "v1"]),
        ("*_fixed", ["v1_fixed"]),
        ("v0,v?,v0", ["v0", "v1", "v2"]),
        ("*", BASES + VARIANTS),
        ("timm:resnet10t,torchvision:x,timm:resnet10t", ["timm:resnet10t", "torchvision:x"]),
    ],
)
def test_requests(request_: str, names: list[str]) -> None:
    assert resolve_names(request_) == names


@pytest.mark.parametrize("name", ["nope", "V0", "resnet", "x*", "v0 v1", "nope:net", ":", "All"])
def test_an_unknown_name_is_refused_with_the_choices(name: str) -> None:
    choices = ", ".join(list_models())
    forms = "torchvision:NAME, timm:NAME, path/to/file.py:CALLABLE"
    message = f"unknown model {name!r}; choose from {choices}, or {forms}"
    with pytest.raises(ModelError) as refusal:
        resolve_names(f"v0,{name}")
    assert str(refusal.value) == message
    for look_up in (build_model, model_info):
        with pytest.raises(ModelError) as refusal:
            look_up(name)
        assert str(refusal.value) == message
    with pytest.raises(ModelError, match="no model was asked for"):
        resolve_names(" , ,")
