"""docs/features.md, every command run for two steps on a few images: each ends as a user expects.

Catches a feature whose command is still accepted and no longer works. Paths and weights are local
files; ImageNet's weights would be downloaded, so the network is refused as on a machine without.
"""

import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

import data_pipeline
from bench.train import splits
from data_pipeline import FashionMNIST
from tests.command_line import REPOSITORY, Finished, call, read_lines
from tests.freeze.few_images import load_first_images
from tests.project.test_features_doc import COMMANDS
from tests.tiers import slow_but

RUNS = [command for command in COMMANDS if command.startswith("fmnist-bench run")]
OTHERS = [command for command in COMMANDS if command not in RUNS]
QUICK = {
    "fmnist-bench run --save",
    "fmnist-bench run --set optimizer=adam",
    "fmnist-bench choose RUN --max-seconds 30",
    "fmnist-bench table RUN --format csv",
}
NEEDS_GPU = {"fmnist-bench run --device cuda:0": 2, "fmnist-bench run --plan dp": 1}
NEEDS_CSV = "fmnist-bench run --data FOLDER_WITH_CSV"  # tests/bench/commands/test_cli_csv.py
Call = Callable[..., Finished]


@pytest.fixture(scope="module")
def few_images(data_root: Path) -> FashionMNIST:
    """The first images of the data set."""
    return load_first_images(data_root, fetch=False)


@pytest.fixture
def run(
    few_images: FashionMNIST,
    one_thread: None,
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Call:
    """Calls the command line in this process and in a folder with the files that it may name."""
    for module in (splits, data_pipeline):
        monkeypatch.setattr(module, "load_fashion_mnist", lambda *_, **__: few_images)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.chdir(tmp_path)
    weights = REPOSITORY / "fmnist_models" / "weights" / "resnet8.pt"
    Path("my_weights.pth").symlink_to(weights)
    Path("my.toml").write_text("batch_size = 64\n")
    Image.fromarray(few_images.test_images[0, 0].numpy()).save("image.png")
    return partial(call, monkeypatch, capfd, data_root)


def two_steps(command: str) -> list[str]:
    """The arguments of a `run`, cut to two eager steps of a small net where it names no other."""
    arguments = shlex.split(command)[1:]
    if "--models" not in arguments:
        arguments += ["--models", "v0"]
    if "--plan" not in arguments:
        arguments += ["--plan", "eager,threads:1"]
    if "--device" not in arguments:
        arguments += ["--device", "cpu"]
    if "weights=my_weights.pth" in arguments:
        arguments += ["--models", "resnet8"]  # whose weights they are
    return [*arguments, "--budget", "2steps", "--in-process"]


@pytest.mark.parametrize("command", slow_but(QUICK, [c for c in RUNS if c != NEEDS_CSV]))
def test_a_command_trains_for_two_steps(command: str, run: Call) -> None:
    out = ["--out", "RUN"]
    if "--resume" in command:
        assert run(*two_steps("fmnist-bench run --save"), *out).returncode == 0
        out = []
    finished = run(*two_steps(command), *out)
    wanted = NEEDS_GPU.get(command, 0)
    assert finished.returncode == wanted, finished.stderr
    assert wanted == 2 or finished.stdout
    if wanted == 0:
        assert {record["status"] for record in read_lines(Path("RUN"))} == {"ok"}


@pytest.mark.parametrize("command", slow_but(QUICK, OTHERS))
def test_any_other_command_answers(command: str, run: Call) -> None:
    if "RUN" in command:
        what = "--recipe published" if "published" in command else "--recipe classic"
        learns = ("--budget", "50steps")  # `choose` recommends nothing that does not
        made = run(*two_steps(f"fmnist-bench run {what}"), *learns, "--out", "RUN")
        assert made.returncode == 0, made.stderr
    arguments = command.replace("MODEL", "resnet8").replace("IMAGE", "image.png")
    finished = run(*shlex.split(arguments)[1:])
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout


def test_what_no_test_here_runs_is_in_the_document() -> None:
    assert {*NEEDS_GPU, NEEDS_CSV, *QUICK} <= set(COMMANDS)
