"""Names of models from elsewhere (torchvision's, timm's, a user's own file), and users' files.

Names are checked without torch, so that a typing mistake is told at once; `adapt` builds models.
"""

import os
import traceback
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from fmnist_models.catalogue import ModelError, ModelInfo, first_line
from fmnist_models.users.files import USER_FILES

FORMS = "torchvision:NAME, timm:NAME, path/to/file.py:CALLABLE"
LIBRARIES = ("torchvision", "timm")
MAX_SIZE = 2048
MAX_MESSAGE_CHARS = 300
INPUT_SIZE = 28  # pixels a side, unless a user's callable states its own `input_size`


def is_external(name: str) -> bool:
    """Tell whether a name has one of the external forms, whatever it then refers to."""
    return split_library(name) is not None or name.endswith(".py") or ".py:" in name


def split_library(name: str) -> tuple[str, str] | None:
    """Return the library and its model that a name asks for; None for every other name."""
    library, colon, model = name.partition(":")
    return (library, model) if colon and library in LIBRARIES else None


def check_name(name: str) -> None:
    """Raise ModelError where an external name cannot be right; loads no torch and no user code."""
    from_library = split_library(name)
    if from_library is None:
        split_path(name)
    elif not from_library[1]:
        raise ModelError(f"{name!r} names no model; write {name}NAME")


def describe(name: str) -> ModelInfo:
    """Return what is known about a user's model; runs its file for the input size."""
    check_name(name)
    builder = load_callable(name)
    return ModelInfo(name, input_size_of(name), summary=first_line(builder.__doc__))


def load_callable(name: str) -> Callable[[], Any]:
    """Return the class or function that `path/to/file.py:CALLABLE` names; runs the file."""
    path, attribute = split_path(name)
    try:
        builder: Callable[[], Any] | None = getattr(_import_file(path, name), attribute, None)
    except ModelError:
        raise
    except Exception as error:  # a module may make its names when they are asked for
        raise ModelError(f"{path} has no {attribute!r}: {_one_line(error, path)}") from error
    if builder is None:
        raise ModelError(f"{path} defines no {attribute!r}; name a class or function of that file")
    if not callable(builder):
        raise ModelError(f"{name} is {type(builder).__name__}; name a class or a function")
    return builder


def input_size_of(name: str) -> int:
    """Return how many pixels a side the images have that a user's model takes."""
    builder = load_callable(name)
    try:
        size = getattr(builder, "input_size", INPUT_SIZE)
    except Exception as error:  # it may be a property
        raise ModelError(f"{name} has no input_size: {explain(error, name)}") from error
    if type(size) is not int or not 1 <= size <= MAX_SIZE:
        raise ModelError(f"{name} has input_size {size!r}; it must be 1 to {MAX_SIZE} pixels")
    return size


def canonical(name: str) -> str:
    """Return the one spelling of an external name: a file relative to the cwd if it lies inside.

    Raises:
        ModelError: it cannot be right; see `check_name`.
    """
    if split_library(name):
        check_name(name)
        return name
    path, attribute = split_path(name)
    place, here = path.resolve(), Path.cwd().resolve()
    return f"{place.relative_to(here) if place.is_relative_to(here) else place}:{attribute}"


def split_path(name: str) -> tuple[Path, str]:
    """Return the existing file and the identifier that `path/to/file.py:CALLABLE` names."""
    file, _, attribute = name.rpartition(":")
    if not file or not attribute.isidentifier():
        raise ModelError(f"{name!r} names no class or function; write path/to/file.py:CALLABLE")
    path = Path(file)
    try:
        path = path.expanduser()
        is_python = path.suffix == ".py" and path.is_file()
    except (OSError, RuntimeError):  # too long, in a folder that is closed to us, nobody's home
        is_python = False
    if not is_python:
        raise ModelError(f"there is no Python file {file!r}; write path/to/file.py:CALLABLE")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in file):
        raise ModelError(f"no record can hold the name of {file!r}; rename the file or its folder")
    return path, attribute


def explain(error: BaseException, name: str) -> str:
    """Say in one line what an external model raised, and where in the user's file."""
    # no split_path: what has failed may also have left the working directory
    return _one_line(error, None if split_library(name) else Path(name.rpartition(":")[0]))


def files_beside(name: str) -> tuple[str, ...]:
    """Return the user's files that a model's own file has imported so far, relative to it.

    They are in a fixed order; there are none of a model that is not a user's.
    """
    if split_library(name) or not is_external(name):
        return ()
    place = Path(name.rpartition(":")[0]).expanduser().resolve()
    return tuple(os.path.relpath(file, place.parent) for file in USER_FILES.neighbours(place))


def _import_file(path: Path, name: str) -> ModuleType:
    from fmnist_models.users.code import kept_randomness, user_code  # loads torch

    place = path.resolve()  # here: the file may have gone to another folder when it was imported
    try:
        with user_code(name), kept_randomness():
            return USER_FILES.load(place)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a script that calls sys.exit() is no model file
        kind, _, message = _one_line(error, path).partition(": ")
        raise ModelError(f"{path} raised {kind} at import: {message}") from error


def text_of(error: BaseException) -> str:
    """Return all that an exception says; empty where it says nothing."""
    try:
        return str(error).strip()
    except Exception:  # an exception of a user's own may fail at that too
        return ""


def message_of(error: BaseException) -> str:
    """Return the first line of what an exception says, not endless; empty where there is none."""
    line = text_of(error).partition("\n")[0]
    return line if len(line) <= MAX_MESSAGE_CHARS else f"{line[:MAX_MESSAGE_CHARS]} ..."


def _one_line(error: BaseException, path: Path | None) -> str:
    """`Kind: first line of the message (line N)`, N the innermost line of that file, if any."""
    message = message_of(error) or "no message"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if path and frame.filename == str(path.resolve())]
    if isinstance(error, SyntaxError):  # it never ran, so no frame knows the line
        message, lines = error.msg, [error.lineno]
    where = f" (line {lines[-1]})" if lines and lines[-1] else ""
    return f"{type(error).__name__}: {message}{where}"
