"""`make` asks the command line for what the user asked of make, and mends or names what is missing.

The interpreter that make is given is mostly a script that tells how it was called.
"""

import os
import shutil
import sys
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
