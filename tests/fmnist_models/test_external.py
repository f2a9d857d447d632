"""Models of a user's file, and what goes wrong with models from elsewhere."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from fmnist_models import ModelError, ModelInfo, build_model, model_info, resolve_names
from fmnist_models.adapt import adapt_to_fashion_mnist

EXAMPLE = Path(__file__).parents[2] / "examples" / "tiny_net.py"
NET = "from torch import nn\nclass Net(nn.Sequential):\n    '''A user's net.'''\n"
GOOD_BODY = "        super().__init__(nn.Flatten(), nn.Linear(784, 10))\n"
GOOD = f"{NET}    def __init__(self):\n{GOOD_BODY}"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, and forget what the test's files put into the search path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


def write(text: str) -> None:
    Path("net.py").write_text(text)


def refusal_of(name: str) -> str:
    with pytest.raises(ModelError) as refusal:
        build_model(name)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_the_example_is_a_model() -> None:
    name = f"{EXAMPLE}:TinyNet"
    assert resolve_names(f"v0,{name}") == ["v0", name]
    summary = "Two strided convolutions and a linear layer on the average of each channel."
    assert model_info(name) == ModelInfo(name, 28, None, "user", summary)
    model = build_model(name)
    assert model.training
    assert model(torch.rand(3, 1, 28, 28)).shape == (3, 10)
    assert sum(p.numel() for p in model.parameters()) == 160 + 4_640 + 330


def test_adaptation_keeps_all_else_of_the_layers() -> None:
    stem = nn.Conv2d(3, 6, (5, 3), (2, 1), (1, 2), bias=False, padding_mode="reflect")
    net = nn.Sequential(stem, nn.Conv2d(6, 3, 1), nn.Flatten(), nn.Linear(7, 7), nn.Linear(7, 100))
    first, _, _, hidden, last = adapt_to_fashion_mnist(net).children()
    assert repr(first) == repr(stem).replace("(3, 6,", "(1, 6,")
    assert isinstance(hidden, nn.Linear)
    assert isinstance(last, nn.Linear)
    assert (hidden.out_features, last.out_features) == (7, 10)


def test_adaptation_leaves_a_fitting_network_alone() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4, 10))
    before = list(net)
    assert list(adapt_to_fashion_mnist(net).children()) == before


def test_a_function_with_its_own_input_size() -> None:
    write(
        "from torch import nn\n"
        "def small():\n"
        "    '''Sixteen pixels.'''\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(256, 10))\n"
        "small.input_size = 16\n"
    )
    assert model_info("net.py:small") == ModelInfo(
        "net.py:small", 16, None, "user", "Sixteen pixels."
    )
    assert build_model("net.py:small")(torch.rand(2, 1, 16, 16)).shape == (2, 10)


def test_a_users_net_for_other_images_is_fitted() -> None:
    write(
        "from torch import nn\n"
        "def Net():\n"
        "    return nn.Sequential(\n"
        "        nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),\n"
        "        nn.Linear(4, 1000))\n"
    )
    model = build_model("net.py:Net")
    assert sum(p.numel() for p in model.parameters()) == (9 * 4 + 4) + (4 * 10 + 10)
    assert model(torch.rand(2, 1, 28, 28)).shape == (2, 10)


def test_a_net_that_cannot_be_fitted_is_refused_as_it_was_written() -> None:
    write(GOOD.replace("Linear(784, 10)", "Linear(784, 7), nn.Unflatten(1, (7, 1))"))
    assert refusal_of("net.py:Net") == (
        "net.py:Net turns images (2, 1, 28, 28) into shape (2, 7, 1); it must return logits (2, 10)"
    )


def test_the_check_leaves_statistics_and_mode_alone_and_a_lazy_layer_trainable() -> None:
    lazy = GOOD.replace("Linear(784, 10)", "LazyLinear(10)")
    write(lazy.replace("nn.Flatten()", "nn.BatchNorm2d(1), nn.Flatten()"))
    model = build_model("net.py:Net")
    assert model.training
    assert model.get_buffer("0.num_batches_tracked") == 0
    model(torch.rand(2, 1, 28, 28)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_file_runs_once_until_it_changes_or_is_mended() -> None:
    count = "with open('runs', 'a') as runs: runs.write('.')\n"
    write("1 / 0\n")
    for _ in range(2):
        assert "division by zero" in refusal_of("net.py:Net")
    write(count + GOOD)
    assert type(build_model("net.py:Net")) is type(build_model("./net.py:Net"))
    assert Path("runs").read_text() == "."
    write(count + GOOD.replace("784, 10", "784, 10, bias=False"))
    assert sum(p.numel() for p in build_model("net.py:Net").parameters()) == 7_840
    assert Path("runs").read_text() == ".."


def test_a_file_imports_its_neighbour() -> None:
    Path("neighbour_of_net.py").write_text("WIDTH = 10\n")
    write("from neighbour_of_net import WIDTH\n" + GOOD.replace("784, 10", "784, WIDTH"))
    assert isinstance(build_model("net.py:Net"), nn.Sequential)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n\n1 / 0\n", "net.py raised ZeroDivisionError at import: division by zero (line 3)"),
        ("x = (\n", "net.py raised SyntaxError at import: '(' was never closed (line 1)"),
        ("import no_such_module_here\n", "No module named 'no_such_module_here' (line 1)"),
        ("raise ValueError('one\\ntwo')\n", "net.py raised ValueError at import: one (line 1)"),
        ("import sys\nsys.exit()\n", "net.py raised SystemExit at import: no message (line 2)"),
        ("x = 1\n", "net.py defines no 'Net'; name a class or function of that file"),
        ("Net = 1\n", "net.py:Net is int; name a class or a function"),
        ("def Net(): return 1\n", "net.py:Net returned int; it must return a torch.nn.Module"),
        ("def Net(width): ...\n", "missing 1 required positional argument: 'width'"),
        (
            f"{NET}    def __init__(self):\n        self.width\n",
            "net.py:Net fails when called without arguments: AttributeError: "
            "'Net' object has no attribute 'width' (line 5)",
        ),
        (
            f"{GOOD}    def forward(self, images):\n        return images[7]\n",
            "net.py:Net fails on images (2, 1, 28, 28): IndexError: "
            "index 7 is out of bounds for dimension 0 with size 2 (line 7)",
        ),
        (
            f"{GOOD}    def forward(self, images):\n        return images, images\n",
            "net.py:Net turns images (2, 1, 28, 28) into a tuple of (2, 1, 28, 28), "
            "(2, 1, 28, 28); it must return logits (2, 10)",
        ),
        (
            f"{GOOD}    input_size = '28'\n",
            "net.py:Net has input_size '28'; it must be 1 to 2048 pixels",
        ),
    ],
)
def test_what_a_users_file_can_do_wrong(text: str, message: str) -> None:
    write(text)
    assert refusal_of("net.py:Net").endswith(message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.py:Net", "there is no Python file 'missing.py'; write path/to/file.py:CALLABLE"),
        ("net.py", "'net.py' names no class or function; write path/to/file.py:CALLABLE"),
        ("net.py:", "'net.py:' names no class or function; write path/to/file.py:CALLABLE"),
        ("net.py:a-b", "'net.py:a-b' names no class or function; write path/to/file.py:CALLABLE"),
        ("torchvision:", "'torchvision:' names no model; write torchvision:NAME"),
        ("timm:", "'timm:' names no model; write timm:NAME"),
    ],
)
def test_wrong_external_names_are_told_before_anything_runs(name: str, message: str) -> None:
    write("1 / 0\n")
    for ask in (resolve_names, model_info, build_model):
        with pytest.raises(ModelError) as refusal:
            ask(name)
        assert str(refusal.value) == message
