"""Options listed once: those of a command as the fields of a dataclass."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

from typer import Argument

OptionsT = TypeVar("OptionsT")
RunDirs = Annotated[
    list[Path] | None, Argument(help="Run folders.", show_default="the newest in results/runs")
]
"""The argument of every command that shows finished runs."""


def from_fields(
    kind: type[OptionsT],
) -> Callable[[Callable[[OptionsT], None]], Callable[..., None]]:
    """Make a Typer command of a function that takes one dataclass.

    Typer reads a command's options from the annotated parameters of a function; here they are the
    annotated fields of `kind`, of which the function gets an instance.
    """

    def decorate(function: Callable[[OptionsT], None]) -> Callable[..., None]:
        def command(**values: Any) -> None:  # noqa: ANN401 - what the fields say
            function(kind(**values))

        signature = inspect.signature(kind)
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        vars(command)["__signature__"] = signature  # where inspect, and so Typer, looks
        return command

    return decorate
