"""What the package's own files register, read from their source text.

Importing the families would load torch (a second and more) only to print a list of names. The
decorator lines say everything that a list needs, so they are parsed instead.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

# Simple nets first, as the tables print them; a family not named here follows in file order.
FAMILY_ORDER = ("tiny", "fashion_cnn", "alexnet", "resnet4", "resnet8", "resnet")


class ModelError(Exception):
    """A model that cannot be named, registered or built, told in one line with the remedy."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known about a model without building it."""

    name: str
    input_size: int = 28  # pixels a side: images are (B, 1, input_size, input_size)
    variant_of: str | None = None
    source: str = "user"
    summary: str = ""


class Registration(NamedTuple):
    """One registered name and the module, inside its package, that builds it."""

    info: ModelInfo
    module: str


def read_catalogue(folder: Path) -> dict[str, Registration]:
    """Return what the folder's files register by a literal `@register`, in family order."""
    catalogue: dict[str, Registration] = {}
    rank = {name: number for number, name in enumerate(FAMILY_ORDER)}
    paths = sorted(folder.glob("*.py"), key=lambda path: (rank.get(path.stem, 99), path.stem))
    for path in paths:
        for info in _read_family(path):
            if info.name in catalogue:
                raise ModelError(
                    f"model {info.name!r} is registered twice, in {catalogue[info.name].module}.py"
                    f" and {path.name}; rename one"
                )
            catalogue[info.name] = Registration(info, path.stem)
    return catalogue


def first_line(docstring: str | None) -> str:
    """Return a docstring's first line, the summary of what it documents."""
    return (docstring or "").strip().partition("\n")[0].strip()


def _read_family(path: Path) -> Iterator[ModelInfo]:
    source = path.read_text(encoding="utf-8")
    if "@register(" not in source:  # parsing is the slow part of a listing
        return
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            # innermost first, the order in which Python applies stacked decorators
            for decorator in reversed(node.decorator_list):
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "register":
                    yield _read_decorator(decorator, first_line(ast.get_docstring(node)), path)


def _read_decorator(decorator: ast.Call, summary: str, path: Path) -> ModelInfo:
    try:
        positional = [ast.literal_eval(argument) for argument in decorator.args]
        keywords: dict[str, Any] = {
            str(keyword.arg): ast.literal_eval(keyword.value) for keyword in decorator.keywords
        }
        (name,) = positional or (keywords.pop("name"),)
        return ModelInfo(name, summary=summary, **keywords)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"{path.name} line {decorator.lineno}: @register takes one literal name and literal"
            " input_size, variant_of and source, because models are listed without importing them"
        ) from error
