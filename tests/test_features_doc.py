"""docs/features.md: every command in it is accepted, every file that it names is there."""

import re
import shlex
from dataclasses import fields
from typing import Any

import pytest
import typer

from bench.cli import app
from bench.request import Request, check_options
from tests.command_line import REPOSITORY

TEXT = (REPOSITORY / "docs" / "features.md").read_text(encoding="utf-8")
SPANS = re.findall(r"`([^`]+)`", TEXT)
COMMANDS = sorted({span for span in SPANS if span.startswith("fmnist-bench ")})
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
    if asked.get("recipe") == "published":  # it stands for many, of which this is one
        asked["recipe"] = "r2_resnet18"
    return Request(**asked)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_accepted(command: str) -> None:
    name, options = parsed(command)
    if name == "run":
        assert check_options(request_of(options)).models


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


def test_every_row_names_what_shows_it_or_says_that_it_is_planned() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and "| from |" not in line]
    assert len(rows) >= 35
    shows = re.compile(r"`fmnist-bench |`(bench|data_pipeline|fmnist_models)/|every table|planned")
    assert [row for row in rows if not shows.search(row.split("|")[3])] == []
