"""`make` asks the command line for what the user asked of make, and mends or names what is missing.

The interpreter that make is given is mostly a script that tells how it was called.
"""

import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tests.command_line import Finished, finish

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")

TELL = """#!/bin/sh
echo "visible=${CUDA_VISIBLE_DEVICES-unset} order=${CUDA_DEVICE_ORDER-unset}"
for word in "$@"; do echo "<$word>"; done
"""
WORKS = """#!/bin/sh
test "$1" = -c && echo 1 || echo "$*"
"""
OLD = """#!/bin/sh
exec '{python}' -c 'import sys; sys.version_info = (3, 9, 18); exec(sys.argv[1])' "$2"
"""
BARE = """#!/bin/sh
exec '{python}' -c 'import sys; sys.modules["venv"] = None; exec(sys.argv[1])' "$2"
"""


def make(*arguments: str) -> Finished:
    # bare: `make test` hands its own variables down, and a user may have set some
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return finish("make", *arguments, env=bare)


def script(path: Path, text: str) -> str:
    path.write_text(text.replace("{python}", sys.executable), encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def tell(tmp_path: Path) -> str:
    """An interpreter that tells its environment and its arguments."""
    return script(tmp_path / "tell", TELL)


def told(tell: str, *arguments: str) -> tuple[str, list[str]]:
    """The environment and the options of `run` that make came to."""
    done = make("bench", "VENV=", f"PYTHON={tell}", *arguments)
    assert done.returncode == 0, done.stderr
    surroundings, *words = done.stdout.splitlines()
    words = [word[1:-1] for word in words]
    assert words[:3] == ["-m", "bench", "run"]
    return surroundings, words[3:]


@pytest.mark.parametrize(
    ("variables", "surroundings", "options"),
    [
        ([], "unset order=unset", ["--device", "auto"]),
        (["GPU=cpu"], "unset order=unset", ["--device", "cpu"]),
        (["GPU=0"], "0 order=PCI_BUS_ID", ["--device", "cuda:0"]),  # counted as the bus counts
        (["GPU=3"], "3 order=PCI_BUS_ID", ["--device", "cuda:0"]),  # the first of those visible
        (["GPU=0,1"], "0,1 order=PCI_BUS_ID", ["--device", "cuda:0", "--plan", "dp"]),
        (
            ["GPU=0,1", "PLAN=channels_last,dp"],
            "0,1 order=PCI_BUS_ID",
            ["--device", "cuda:0", "--plan", "channels_last,dp"],
        ),
        (
            ["GPU=0,1", "PLAN=ladder"],
            "0,1 order=PCI_BUS_ID",
            ["--device", "cuda:0", "--plan", "ladder"],
        ),
    ],
)
def test_the_gpu_that_is_named_is_the_only_one_visible(
    tell: str, variables: list[str], surroundings: str, options: list[str]
) -> None:
    assert told(tell, *variables) == (f"visible={surroundings}", ["--models", "all", *options])


def test_every_variable_passes_through(tell: str) -> None:
    variables = ("BUDGET=20steps", "SEEDS=2", "RECIPE=classic", "PLAN=compile")
    extra = ("MODELS=v0,resnet*", "ARGS=--resume --set augment=flip,shift2")
    _, words = told(tell, *variables, *extra)
    assert words == [
        *("--models", "v0,resnet*", "--device", "auto", "--budget", "20steps", "--seeds", "2"),
        *("--recipe", "classic", "--plan", "compile", "--resume", "--set", "augment=flip,shift2"),
    ]


def test_help_names_every_target() -> None:
    text = make("help").stdout
    wanted = {"help", "setup", "bench", "test", "check", "format", "benchmark", "docs", "clean"}
    wanted |= {"counts", "test-all"}
    named = {line.split()[1] for line in text.splitlines() if line.startswith("  make ")}
    assert wanted <= named
    for option in ("GPU=0,1", "MODELS=", "BUDGET=", "SEEDS=", "PLAN=", "ARGS=", "VENV="):
        assert option in text
    assert make().stdout == text
    for target in named:
        assert make("-n", target, "VENV=", f"PYTHON={sys.executable}").returncode == 0, target


def test_benchmark_and_counts_know_the_device() -> None:
    said = make("-n", "benchmark", "VENV=", "GPU=cpu").stdout
    assert "CUDA_VISIBLE_DEVICES= " in said
    assert "--benchmark-timer=tests.benchmarks.timer.synchronized_s" in said
    assert "CUDA_VISIBLE_DEVICES= " not in make("-n", "benchmark", "VENV=").stdout
    assert "--device 'cuda:0'" in make("-n", "counts", "VENV=", "GPU=0").stdout
    # without a GPU the CPU, where all can repeat it
    assert "--device" not in make("-n", "counts", "VENV=").stdout


@pytest.mark.slow
def test_a_gpu_that_is_not_there_is_one_line_with_the_remedy(data_root: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    done = make("bench", "GPU=7", "VENV=", f"PYTHON={sys.executable}", f"FMNIST_DATA={data_root}")
    assert (done.returncode, done.stdout) == (2, "")
    line, of_make = done.stderr.splitlines()
    assert line.startswith("fmnist-bench: no device cuda:0: no CUDA GPU visible")
    assert "CUDA_VISIBLE_DEVICES=7" in line
    assert "GPU=cpu" in line
    assert of_make.startswith("make: ***")


def test_folders_may_have_spaces_and_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    venv, data = tmp_path / "an environment", tmp_path / "the data"
    for path in (venv / ".ready", data / "FashionMNIST" / "raw" / "t10k-labels-idx1-ubyte"):
        path.parent.mkdir(parents=True)
        path.touch()
    (venv / "bin").mkdir()
    script(venv / "bin" / "python", WORKS)
    done = make("test", f"VENV={venv}", f"FMNIST_DATA={data}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("-m pytest ")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (OLD, "Python 3.11 or later is needed"),
        (BARE, "has no venv module; on Debian: apt-get install python3-venv"),
    ],
)
def test_an_interpreter_that_will_not_do_is_named_in_one_line(
    tmp_path: Path, text: str, wanted: str
) -> None:
    python = script(tmp_path / "python3", text)
    done = make("setup", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}")
    assert (done.returncode, done.stdout) == (2, "")
    line, of_make = done.stderr.splitlines()
    assert wanted in line
    assert python in line
    assert of_make.startswith("make: ***")
    assert not (tmp_path / "venv").exists()


BACKEND = """
import shutil

def build_editable(folder, config_settings=None, metadata_directory=None):
    return shutil.copy("product-1-py3-none-any.whl", folder).rpartition("/")[2]
"""
NEEDS = "Provides-Extra: dev\nRequires-Dist: torch\nRequires-Dist: torchvision\n"


def wheel(folder: Path, name: str, version: str, more: str = "") -> None:
    """Writes the smallest package that pip installs, and the page of an index that lists it."""
    folder.mkdir(parents=True, exist_ok=True)
    info, file = f"{name}-{version}.dist-info", f"{name}-{version}-py3-none-any.whl"
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(folder / file, "w") as archive:
        archive.writestr(f"{info}/METADATA", head + more)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{file}">{file}</a>', encoding="utf-8")


@pytest.fixture
def product(tmp_path: Path) -> Path:
    """A folder with our Makefile, whose packages are dummies: of PyPI, and of an index for CPUs."""
    folder = tmp_path / "product"
    wheel(folder, "product", "1", NEEDS)
    shutil.copy("Makefile", folder)
    text = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    text += '[project]\nname = "product"\nversion = "1"\n'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    (folder / "backend.py").write_text(BACKEND, encoding="utf-8")
    pins = "torch==9.8.7\ntorchvision==6.5.4\n"
    (folder / "constraints.txt").write_text(pins, encoding="utf-8")
    for index, build in (("pypi", ""), ("cpu", "+cpu")):
        for name, version in (("torch", "9.8.7"), ("torchvision", "6.5.4")):
            wheel(tmp_path / index / name, name, version + build)
    return folder


@pytest.mark.slow
def test_the_build_of_torch_is_the_one_for_this_machine(product: Path) -> None:
    """A CPU's build where it is to be had, PyPI's where not or where CUDA is asked for."""

    def torch_after(*arguments: str, index: str = "cpu") -> str:
        urls = {name: (product.parent / name).as_uri() for name in ("pypi", index)}
        env = {"PATH": os.environ["PATH"], "PIP_INDEX_URL": urls["pypi"]}
        env |= {"PIP_CONFIG_FILE": os.devnull, "HOME": str(product)}
        asked = ("setup", f"PYTHON={sys.executable}", f"TORCH_INDEX={urls[index]}", "NVIDIA=")
        data = product / "data" / "FashionMNIST" / "raw" / "t10k-labels-idx1-ubyte"
        data.parent.mkdir(parents=True, exist_ok=True)
        data.touch()
        done = finish("make", *asked, *arguments, env=env, cwd=product)
        assert done.returncode == 0, done.stderr
        told = [line for line in done.stderr.splitlines() if line.startswith("set up ")]
        return told[-1].split()[4].rstrip(",") if told else "as it was"

    assert torch_after("NVIDIA=Makefile") == "9.8.7"  # a machine with a driver
    (product / "constraints.txt").touch()
    assert torch_after() == "9.8.7"  # what is there does for a CPU too, also renewed
    assert torch_after() == "as it was"
    assert torch_after("CUDA=0", index="gone") == "9.8.7"  # nothing is lost
    assert torch_after("CUDA=0") == "9.8.7+cpu"
    assert torch_after("GPU=cpu") == "as it was"
    assert torch_after("GPU=0") == "9.8.7"
    packages = (product / ".venv").glob("lib/*/site-packages/*.dist-info")
    assert not [path for path in packages if "+cpu" in path.name]  # torchvision's neither
    refused = finish("make", "setup", "CUDA=yes", env={"PATH": os.environ["PATH"]}, cwd=product)
    assert "CUDA=yes is neither CUDA=1 nor CUDA=0" in refused.stderr
    assert refused.returncode == 2
