"""docs/features.md: every command in it is accepted, every file that it names is there."""

import re
import shlex
from dataclasses import fields
from typing import Any

import pytest
import typer

from bench.cli import app
from bench.spec.named_recipes import SYSTEMS, systems_of
from bench.sweep.checked import CheckedRequest, check_options
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


def accepted(command: str) -> CheckedRequest | None:
    """What a `run` would do; None for other commands. Raises where the command is refused."""
    name, options = parsed(command)
    return check_options(request_of(options)) if name == "run" else None


def test_every_command_is_accepted() -> None:
    refused = {}
    for command in COMMANDS:
        try:
            accepted(command)
        except Exception as error:
            refused[command] = str(error)
    assert refused == {}


def trainings(command: str) -> tuple[RequestedTraining, ...]:
    checked = accepted(command)
    return tuple(checked.trainings) if checked else ()


def entries_of(feature: str) -> list[RequestedTraining]:
    """What the commands in a row of the document would train."""
    (row,) = (line for line in TEXT.splitlines() if line.startswith(f"| {feature}"))
    commands = [span for span in re.findall(r"`([^`]+)`", row) if "fmnist-bench run" in span]
    return [entry for command in commands for entry in trainings(command)]


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
    shown = [(command, entry) for command in COMMANDS for entry in trainings(command)]
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
