"""Every command with every option is what `options.json` says: no more, no less, no other."""

import json
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from bench.cli import app
from tests.golden_text import golden

FROZEN = Path(__file__).parent / "options.json"
PLAIN = typer.models.OptionInfo()
RESTRICTIONS = (  # what typer may demand of a value beyond its type and range
    *("exists", "file_okay", "dir_okay", "writable", "readable", "resolve_path", "allow_dash"),
    *("case_sensitive", "clamp"),
)
Parameter = dict[str, Any]
CommandLine = dict[str, dict[str, Parameter]]


def offered() -> CommandLine:
    """Every command of the product with all of its parameters, by their first spelling."""
    commands = getattr(typer.main.get_command(app), "commands")  # noqa: B009 - untyped in typer
    return {
        name: {parameter.opts[0]: _described(command, parameter) for parameter in command.params}
        for name, command in commands.items()
    }


def _described(command: Any, parameter: Any) -> Parameter:  # noqa: ANN401 - typer's are untyped
    kind, default = parameter.type_descriptor, parameter.default
    arguments = [one for one in command.params if not one.opts[0].startswith("-")]
    demands = {name: getattr(kind.parameter_info, name) for name in RESTRICTIONS}
    is_open = parameter.min is parameter.max is None
    return {
        "spellings": [*parameter.opts, *parameter.secondary_opts],
        "place": arguments.index(parameter) if parameter in arguments else None,
        "type": _type_name(kind.annotation),
        "range": None if is_open else [parameter.min, parameter.max],
        "default": default if isinstance(default, str | int | float | None) else str(default),
        "required": parameter.required,
        "flag": getattr(parameter, "is_flag", False),
        "multiple": parameter.multiple,
        "nargs": parameter.nargs,
        "hidden": parameter.hidden or command.hidden,
        "variable": parameter.envvar,
        "restrictions": {k: v for k, v in demands.items() if v != getattr(PLAIN, k)},
    }


def _type_name(annotation: Any) -> str:  # noqa: ANN401 - whatever a parameter may be annotated with
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " | ".join(str(member.value) for member in annotation)
    return annotation.__name__ if type(annotation) is type else str(annotation)


def as_text(line: CommandLine) -> str:
    """JSON with a parameter on each line."""
    blocks = []
    for command, parameters in line.items():
        rows = [f"    {json.dumps(name)}: {json.dumps(p)}" for name, p in parameters.items()]
        content = "{\n" + ",\n".join(rows) + "\n  }" if rows else "{}"
        blocks.append(f"  {json.dumps(command)}: {content}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def by_option(line: CommandLine) -> dict[str, str]:
    """Each parameter behind its command, as JSON: 1 and 1.0 differ, as do 1 and true."""
    return {
        f"{command} {name}": json.dumps(parameter)
        for command, parameters in line.items()
        for name, parameter in parameters.items()
    }


def test_every_command_and_option_is_the_frozen_one() -> None:
    found = offered()
    frozen = json.loads(golden(FROZEN, as_text(found)))
    assert found.keys() == frozen.keys()
    assert by_option(found) == by_option(frozen)


def test_the_file_holds_all_that_is_read() -> None:
    assert json.loads(as_text(offered())) == offered()
