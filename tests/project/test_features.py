"""docs/features.md: every command in it is accepted and works, every file that it names is there.

Each command is run for two steps on a few images, which catches a feature that is still accepted
and no longer works. Paths and weights are local files; ImageNet's weights would be downloaded, so
the network is refused as on a machine without.
"""

import re
import shlex
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image

import data_pipeline
from bench.cli import app
from bench.spec.named_recipes import SYSTEMS, systems_of
from bench.sweep.checked import check_options
from bench.sweep.child import RequestedTraining
from bench.sweep.request import Request
from bench.train import splits
from data_pipeline import FashionMNIST
from fmnist_models import list_models
from tests.command_line import REPOSITORY, Finished, call, read_lines
from tests.freeze.few_images import load_first_images
from tests.tiers import slow_but

TEXT = (REPOSITORY / "docs" / "features.md").read_text(encoding="utf-8")
SPANS = re.findall(r"`([^`]+)`", TEXT)
COMMANDS = sorted({span for span in SPANS if span.startswith("fmnist-bench ")})
RECIPE_MODELS = sorted({system.model for system in SYSTEMS})
FILES = sorted({span for span in SPANS if re.match(r"(bench|data_pipeline|fmnist_models)/", span)})
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


def parsed(command: str) -> tuple[str, dict[str, Any]]:
    """The command's name and its options as the command line reads them."""
    _, name, *arguments = shlex.split(command)
    group = typer.main.get_command(app)
    subcommand = getattr(group, "commands")[name]  # noqa: B009 - typer's own Group is untyped
    return name, subcommand.make_context(name, arguments).params


def accepted(command: str) -> tuple[RequestedTraining, ...]:
    """What a `run` would train, nothing for other commands; raises where a command is refused."""
    name, options = parsed(command)
    if name != "run":
        return ()
    known = {field.name for field in fields(Request)} - {"config"}  # a file that is not there
    asked = {key: value for key, value in options.items() if key in known and value is not None}
    return tuple(check_options(Request(**asked)).trainings)


def test_every_command_is_accepted() -> None:
    refused = {}
    for command in COMMANDS:
        try:
            accepted(command)
        except Exception as error:
            refused[command] = str(error)
    assert refused == {}


def entries_of(feature: str) -> list[RequestedTraining]:
    """What the commands in a row of the document would train."""
    (row,) = (line for line in TEXT.splitlines() if line.startswith(f"| {feature}"))
    commands = [span for span in re.findall(r"`([^`]+)`", row) if "fmnist-bench run" in span]
    return [entry for command in commands for entry in accepted(command)]


def test_every_command_of_a_row_has_its_feature() -> None:
    rows: tuple[tuple[str, str, set[object]], ...] = (
        ("cyclic rate", "schedule", {"triangular", "triangular2"}),
        ("cyclic rate", "base_momentum", {0.8}),
        ("ReduceLROnPlateau", "schedule", {"plateau"}),
        ("StepLR", "schedule", {"step"}),
        ("early stopping", "stop_patience", {10}),
        ("best weights", "selection", {"accuracy"}),
        ("transfer learning", "weights", {"imagenet", "my_weights.pth"}),
        ("partial freezing", "trainable", {"head", "stem_head"}),
        ("optimizers", "optimizer", {"adam", "rmsprop", "muon"}),
        ("augmentation", "augment", {("flip", "shift2", "cutout8")}),
        ("pixels / 255", "normalize", {"unit"}),
        ("a quarter for validation", "validation_fraction", {0.25}),
        ("resize to 16x16", "input_size", {16}),
        ("resize to 16x16", "normalize", {"half"}),
        ("pretrained against", "weights", {"imagenet", "random"}),
    )
    found = [
        (feature, field, {getattr(entry.recipe, field) for entry in entries_of(feature)})
        for feature, field, _ in rows
    ]
    assert found == list(rows)


def test_a_recipe_of_a_project_is_shown_on_its_own_model() -> None:
    own = {model: set(map(tuple, systems_of(model))) for model in RECIPE_MODELS}
    shown = [(command, entry) for command in COMMANDS for entry in accepted(command)]
    assert shown
    for command, (model, recipe, _) in shown:
        name = re.split("[@+]", recipe.name)[0]
        is_reference = name not in {"default", "classic"}
        assert not is_reference or (model, name) in own[model], command
        # not every net takes less
        assert (recipe.input_size or 28) >= 28 or model == "resnet50", command
        assert recipe.weights == "random" or model.startswith("resnet"), command


def test_a_model_that_predicts_is_a_place_holder_or_a_name() -> None:
    predicts = [command for command in COMMANDS if command.startswith("fmnist-bench predict")]
    assert {parsed(command)[1]["model"] for command in predicts} <= {"MODEL", *list_models()}


@pytest.mark.parametrize(
    "command",
    ["fmnist-bench run --nothing", "fmnist-bench nothing", "fmnist-bench run --set schedule=odd"],
)
def test_the_check_above_sees_what_is_not_there(command: str) -> None:
    with pytest.raises(Exception, match=r"nothing|unknown schedule"):
        accepted(command)


def test_every_file_is_there() -> None:
    assert FILES
    assert [path for path in FILES if not (REPOSITORY / path).exists()] == []


def test_the_parts_of_the_report_have_these_headings() -> None:
    headings = set(re.findall(r'report RUN`, "([^"]+)"', TEXT))
    source = (REPOSITORY / "results" / "report" / "compose.py").read_text(encoding="utf-8")
    assert len(headings) >= 5
    assert {heading for heading in headings if f'"{heading}"' not in source} == set()


def test_every_row_has_a_command() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and "| from |" not in line]
    assert len(rows) >= 35
    assert [row for row in rows if "`fmnist-bench " not in row.split("|")[3]] == []


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
