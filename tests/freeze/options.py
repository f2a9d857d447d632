"""The command line as data: each command with its parameters, and how two of them differ."""

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import typer

from bench.cli import app

Parameter = dict[str, Any]
CommandLine = dict[str, dict[str, Parameter]]
PLAIN = typer.models.OptionInfo()
RESTRICTIONS = (  # what typer may demand of a value beyond its type and range
    *("exists", "file_okay", "dir_okay", "writable", "readable", "resolve_path", "allow_dash"),
    *("case_sensitive", "clamp"),
)


def offered() -> CommandLine:
    """Every command of the product with all of its parameters, by their first spelling."""
    group = typer.main.get_command(app)
    commands = getattr(group, "commands")  # noqa: B009 - typer's own Group is untyped
    return {
        name: {parameter.opts[0]: _described(command, parameter) for parameter in command.params}
        for name, command in commands.items()
    }


def differences(frozen: CommandLine, found: CommandLine) -> list[str]:
    """A line for each thing that differs, which names command, parameter and property."""
    lines = list(_gone_and_new("the command", frozen, found))
    for command in frozen.keys() & found.keys():
        before, after = frozen[command], found[command]
        lines += _gone_and_new(f"`{command}`:", before, after)
        for name in before.keys() & after.keys():
            lines += _changes(f"`{command} {name}`", before[name], after[name])
    return sorted(lines)


def as_text(line: CommandLine) -> str:
    """JSON with a parameter on each line."""
    blocks = []
    for command, parameters in line.items():
        rows = [f"    {json.dumps(name)}: {json.dumps(p)}" for name, p in parameters.items()]
        content = "{\n" + ",\n".join(rows) + "\n  }" if rows else "{}"
        blocks.append(f"  {json.dumps(command)}: {content}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _described(command: Any, parameter: Any) -> Parameter:  # noqa: ANN401 - typer's are untyped
    kind = parameter.type_descriptor
    arguments = [one for one in command.params if not one.opts[0].startswith("-")]
    demands = {name: getattr(kind.parameter_info, name) for name in RESTRICTIONS}
    return {
        "spellings": [*parameter.opts, *parameter.secondary_opts],
        "place": arguments.index(parameter) if parameter in arguments else None,
        "type": _type_name(kind.annotation),
        "range": _range(parameter.min, parameter.max),
        "default": _plain(parameter.default),
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


def _range(least: float | None, most: float | None) -> list[float | None] | None:
    return None if least is most is None else [least, most]


def _plain(default: Any) -> Any:  # noqa: ANN401 - whatever a default may be
    """The default as JSON; what JSON does not have goes by its text."""
    return default if isinstance(default, str | int | float | None) else str(default)


def _gone_and_new(
    where: str, before: Mapping[str, object], after: Mapping[str, object]
) -> Iterator[str]:
    yield from (f"{where} {name} is gone" for name in before.keys() - after.keys())
    yield from (f"{where} {name} is new" for name in after.keys() - before.keys())


def _changes(where: str, before: Parameter, after: Parameter) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if json.dumps(old) != json.dumps(new):  # 1 and 1.0 differ, as do 1 and true
            yield f"{where}: {key} was {json.dumps(old)} and is {json.dumps(new)}"
