"""Every command with every option is what `options.json` says: no more, no less, no other."""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from tests.freeze.options import CommandLine, as_text, differences, offered
from tests.golden_text import golden

FROZEN = Path(__file__).parent / "options.json"


def test_every_command_and_option_is_the_frozen_one() -> None:
    found = offered()
    lines = differences(json.loads(golden(FROZEN, as_text(found))), found)
    assert not lines, "\n".join([f"not as in {FROZEN.name}:", *lines])


@pytest.fixture
def line() -> CommandLine:
    return offered()


def test_the_file_holds_all_that_is_read(line: CommandLine) -> None:
    assert json.loads(as_text(line)) == line
    assert differences(line, deepcopy(line)) == []


def test_a_command_that_goes_or_comes_is_named(line: CommandLine) -> None:
    fewer = {name: options for name, options in line.items() if name != "gate"}
    assert differences(line, fewer) == ["the command gate is gone"]
    assert differences(fewer, line) == ["the command gate is new"]


def test_an_option_that_goes_or_comes_is_named_with_its_command(line: CommandLine) -> None:
    fewer = deepcopy(line)
    del fewer["run"]["--target"]
    assert differences(line, fewer) == ["`run`: --target is gone"]
    assert differences(fewer, line) == ["`run`: --target is new"]


@pytest.mark.parametrize(
    ("command", "name", "key", "value", "said"),
    [
        ("run", "--plan", "default", "eager", 'default was "auto" and is "eager"'),
        ("gate", "--seeds", "range", [1, 20], "range was [2, 20] and is [1, 20]"),
        ("gate", "--base", "required", False, "required was true and is false"),
        ("predict", "--top", "type", "float", 'type was "int" and is "float"'),
        ("predict", "--top", "default", 3.0, "default was 3 and is 3.0"),
        ("table", "--mixed", "flag", False, "flag was true and is false"),
        ("compare", "head", "place", 0, "place was 1 and is 0"),
    ],
)
def test_a_property_that_changes_is_named(  # catches a comparison that overlooks one
    line: CommandLine, command: str, name: str, key: str, value: object, said: str
) -> None:
    changed = deepcopy(line)
    changed[command][name][key] = value
    assert differences(line, changed) == [f"`{command} {name}`: {said}"]


def test_a_short_spelling_that_goes_is_told(line: CommandLine) -> None:
    longer = deepcopy(line)
    longer["run"]["--out"]["spellings"] = ["--out", "-o"]
    said = '`run --out`: spellings was ["--out", "-o"] and is ["--out"]'
    assert differences(longer, line) == [said]
