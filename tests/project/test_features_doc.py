"""docs/features.md: every command in it is accepted, every file that it names is there."""

import re
import shlex
from dataclasses import fields
from typing import Any

import pytest
import typer

from bench.cli import app
from bench.spec.named_recipes import SYSTEMS, systems_of
from bench.sweep.checked import check_options
from bench.sweep.child import RequestedTraining
from bench.sweep.request import Request
from fmnist_models import list_models
from tests.command_line import REPOSITORY

TEXT = (REPOSITORY / "docs" / "features.md").read_text(encoding="utf-8")
SPANS = re.findall(r"`([^`]+)`", TEXT)
COMMANDS = sorted({span for span in SPANS if span.startswith("fmnist-bench ")})
RECIPE_MODELS = sorted({system.model for system in SYSTEMS})
FILES = sorted({span for span in SPANS if re.match(r"(bench|data_pipeline|fmnist_models)/", span)})


def parsed(command: str) -> tuple[str, dict[str, Any]]:
    """The command's name and its options as the command line reads them."""
    _, name, *arguments = shlex.split(command)
    group = typer.main.get_command(app)
    subcommand = getattr(group, "commands")[name]  # noqa: B009 - typer's own Group is untyped
    return name, subcommand.make_context(name, arguments).params


def request_of(options: dict[str, Any]) -> Request:
    """What `run` would be asked for, but for a file of settings, which is not there."""
    known = {field.name for field in fields(Request)} - {"config"}
    asked = {key: value for key, value in options.items() if key in known and value is not None}
    return Request(**asked)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_accepted(command: str) -> None:
    name, options = parsed(command)
    if name == "run":
        assert check_options(request_of(options)).models


def entries_of(feature: str) -> list[RequestedTraining]:
    """What the commands in a row of the document would train."""
    (row,) = (line for line in TEXT.splitlines() if line.startswith(f"| {feature}"))
    commands = [span for span in re.findall(r"`([^`]+)`", row) if "fmnist-bench run" in span]
    return [
        entry
        for command in commands
        for entry in check_options(request_of(parsed(command)[1])).trainings
    ]


@pytest.mark.parametrize(
    ("feature", "field", "values"),
    [
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
    ],
)
def test_every_command_of_a_row_has_its_feature(
    feature: str, field: str, values: set[object]
) -> None:
    assert {getattr(entry.recipe, field) for entry in entries_of(feature)} == values


@pytest.mark.parametrize("command", [command for command in COMMANDS if " run " in f"{command} "])
def test_a_recipe_of_a_project_is_shown_on_its_own_model(command: str) -> None:
    entries = check_options(request_of(parsed(command)[1])).trainings
    own = {model: set(map(tuple, systems_of(model))) for model in RECIPE_MODELS}
    for model, recipe, _ in entries:
        name = re.split("[@+]", recipe.name)[0]
        is_reference = name not in {"default", "classic"}
        assert not is_reference or (model, name) in own[model]
        assert (recipe.input_size or 28) >= 28 or model == "resnet50"  # not every net takes less
        assert recipe.weights == "random" or model.startswith("resnet")


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("fmnist-bench predict")])
def test_a_model_that_predicts_is_a_place_holder_or_a_name(command: str) -> None:
    model = parsed(command)[1]["model"]
    assert model in {"MODEL", *list_models()}


@pytest.mark.parametrize(
    "command",
    ["fmnist-bench run --nothing", "fmnist-bench nothing", "fmnist-bench run --set schedule=odd"],
)
def test_the_check_above_sees_what_is_not_there(command: str) -> None:
    with pytest.raises(Exception, match=r"nothing|unknown schedule"):
        check_options(request_of(parsed(command)[1]))


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_there(path: str) -> None:
    assert (REPOSITORY / path).exists()


def test_the_parts_of_the_report_have_these_headings() -> None:
    headings = set(re.findall(r'report RUN`, "([^"]+)"', TEXT))
    source = (REPOSITORY / "results" / "report" / "compose.py").read_text(encoding="utf-8")
    assert len(headings) >= 5
    assert {heading for heading in headings if f'"{heading}"' not in source} == set()


def test_every_row_has_a_command() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and "| from |" not in line]
    assert len(rows) >= 35
    assert [row for row in rows if "`fmnist-bench " not in row.split("|")[3]] == []
