"""User files: what they import, and that they leave each other and our packages alone."""

import builtins
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import results
from fmnist_models import ModelError, build_model, resolve_names
from fmnist_models.external import load_callable
from fmnist_models.users.files import USER_FILES

NET = (
    "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n"
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run in an empty folder; afterwards no file of the test is active any more."""
    monkeypatch.chdir(tmp_path)
    yield
    USER_FILES._activate(None)


def write(place: str, text: str) -> Path:
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def value_of(name: str) -> object:
    """Call what a name stands for."""
    return load_callable(name)()


def test_two_files_have_their_own_neighbours_of_one_name() -> None:
    for folder in ("one", "two"):
        write(
            f"{folder}/net.py",
            "from blocks import NAME\ndef late():\n    import more\n    return NAME + more.NAME\n",
        )
        write(f"{folder}/blocks.py", f"NAME = '{folder}'\n")
        write(f"{folder}/more.py", f"NAME = '{folder}'\n")
    for folder in ("one", "two", "one", "two"):
        assert value_of(f"{folder}/net.py:late") == folder * 2
    assert [path.name for path in USER_FILES.neighbours(Path("one/net.py"))] == [
        "blocks.py",
        "more.py",
    ]


def test_nothing_of_a_file_stays_behind_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    before, path = set(sys.modules), list(sys.path)
    write("one/net.py", "import sys, blocks\nsys.path.append('/nowhere')\ndef net(): ...\n")
    write("one/blocks.py", "")
    load_callable("one/net.py:net")
    assert "blocks" in sys.modules
    USER_FILES._activate(None)
    assert set(sys.modules) == before
    assert sys.path == path
    load_callable("one/net.py:net")
    assert sys.path[-1] == "/nowhere"


def test_what_is_installed_does_not_hide_a_neighbour_and_pythons_own_modules_stay() -> None:
    write("net.py", "import coverage, queue\ndef net():\n    return coverage.NAME, queue.Queue\n")
    write("coverage.py", "NAME = 'mine'\n")
    write("queue.py", "1 / 0\n")
    hidden = {
        name: sys.modules.pop(name)
        for name in list(sys.modules)
        if name.partition(".")[0] == "coverage"
    }
    try:
        assert value_of("net.py:net")[0] == "mine"  # type: ignore[index]
    finally:
        USER_FILES._activate(None)
        sys.modules.update(hidden)


@pytest.mark.parametrize("where", ["before", "in"])
def test_a_neighbour_called_like_our_package_is_the_users(where: str) -> None:
    early, late = (
        ("import results.deep as deep", "")
        if where == "before"
        else ("", "import results.deep as deep")
    )
    write(
        "net.py", f"{early}\ndef net():\n    {late or 'pass'}\n    return deep.NAME, deep.again()\n"
    )
    write("results/__init__.py", "from .deep import NAME\n")
    write(
        "results/deep.py",
        "NAME = 'mine'\ndef again():\n    from . import other\n    return other.NAME\n",
    )
    write("results/other.py", "from results import deep\nNAME = deep.NAME\n")
    assert value_of("net.py:net") == ("mine", "mine")
    assert sys.modules["results"] is results
    names = [path.name for path in USER_FILES.neighbours(Path("net.py"))]
    assert names == ["__init__.py", "deep.py", "other.py"]
    USER_FILES._activate(None)
    assert builtins.__import__.__module__ == "builtins"


@pytest.mark.parametrize("name", ["msgspec", "typing_extensions"])
def test_a_neighbour_called_like_what_we_have_loaded_is_the_users(name: str) -> None:
    loaded = importlib.import_module(name)
    write("net.py", f"from {name} import NAME\nimport torch\ndef net():\n    return NAME\n")
    write(f"{name}.py", "NAME = 'mine'\n")
    write("torch.py", "1 / 0\n")
    assert value_of("net.py:net") == "mine"
    assert importlib.import_module(name) is loaded


def test_a_folder_that_is_no_package_hides_nothing() -> None:
    write("msgspec/data.txt", "")
    write("net.py", "import msgspec\ndef net():\n    return msgspec.json.encode(1)\n")
    assert value_of("net.py:net") == b"1"


def test_a_script_may_read_its_options() -> None:
    text = "import argparse\nparser = argparse.ArgumentParser()\n"
    write("net.py", f"{text}OPTIONS = parser.parse_args()\ndef net():\n    return OPTIONS\n")
    before = sys.argv
    assert str(value_of("net.py:net")) == "Namespace()"
    assert sys.argv is before


def test_a_file_of_a_project_imports_from_its_root_and_from_where_the_command_runs() -> None:
    write("project/models/__init__.py", "")
    write(
        "project/models/net.py",
        "from utils.layers import NAME\ndef net():\n    import beside\n    return NAME\n",
    )
    write("project/utils/layers.py", "NAME = 'root'\n")
    write("beside.py", "")
    assert value_of("project/models/net.py:net") == "root"


@pytest.mark.parametrize("package", ["models", "code", "results", "my-nets"])
@pytest.mark.parametrize("is_marked", [True, False])
def test_relative_imports(package: str, is_marked: bool) -> None:
    folder = f"project/{package}"
    write(
        f"{folder}/sub/net.py",
        "from ..blocks import NAME\nfrom .near import NEAR\ndef net():\n    return NAME + NEAR\n",
    )
    write(f"{folder}/blocks.py", "NAME = 'block'\n")
    write(f"{folder}/sub/near.py", "NEAR = 'near'\n")
    if is_marked:
        write(f"{folder}/__init__.py", "")
        write(f"{folder}/sub/__init__.py", "")
    assert value_of(f"{folder}/sub/net.py:net") == "blocknear"


def test_a_package_that_imports_the_file_itself_runs_it_once() -> None:
    write("models/__init__.py", "from .net import net\n")
    write(
        "models/net.py",
        "from .blocks import NAME\ndef net():\n    import models\n    return models.net is net\n",
    )
    write("models/blocks.py", "NAME = 1\n")
    assert value_of("models/net.py:net") is True


def test_one_model_under_many_spellings_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("sub/net.py", NET)
    Path("link.py").symlink_to("sub/net.py")
    monkeypatch.setenv("HOME", str(tmp_path))
    spellings = [
        "sub/net.py",
        "./sub/net.py",
        "sub/../sub/net.py",
        str(tmp_path / "sub/net.py"),
        "link.py",
        "~/sub/net.py",
    ]
    assert resolve_names(",".join(f"{file}:net" for file in spellings)) == ["sub/net.py:net"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert resolve_names("../sub/net.py:net") == [f"{tmp_path}/sub/net.py:net"]
    build_model("~/sub/net.py:net")


def test_a_file_that_fails_is_tried_anew_with_what_it_imports() -> None:
    write("net.py", "import blocks\ndef net():\n    return blocks.NAME\n")
    write("blocks.py", "1 / 0\n")
    with pytest.raises(ModelError, match="division by zero"):
        load_callable("net.py:net")
    write("blocks.py", "NAME = 'mended'\n")
    assert value_of("net.py:net") == "mended"
