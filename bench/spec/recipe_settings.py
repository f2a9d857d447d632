"""Recipe fields as text: `--set key=value` and TOML files are read, values are shown."""

import ast
import hashlib
import os
import re
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import msgspec

from bench.errors import UsageError
from bench.spec.recipe import CHOICES, Recipe
from results.text import one_line

RESERVED = {"name", "source", "protocol"}  # no settings: they say what a recipe is
KINDS = {  # type of each field that can be set
    name: kind for name, kind in get_type_hints(Recipe).items() if name not in RESERVED
}
LIST_OF_WORDS = tuple[str, ...]
TOLD = (  # fields that a record always has; the others only where they differ: it is at most 4 KB
    "name",
    "optimizer",
    "learning_rate",
    "schedule",
    "batch_size",
    "augment",
    "normalize",
    "precision",
    "validation_fraction",
)
MAX_NAME_CHARS, MAX_FILE_CHARS, MAX_VALUE_CHARS = 160, 60, 200
MAX_WHOLE = 2**63 - 1  # what a record can hold
WORDS = {  # of Python and YAML, in lower case
    **dict.fromkeys(("none", "null", "~"), None),
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
}
TAKES = {  # in words, what a field of a type takes
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a word",
    LIST_OF_WORDS: "names separated by commas",
}
EXAMPLES = {bool: ("true", "false"), int: ("32", "64"), float: ("0.1", "0.2")}
SEVERAL_LISTS = (
    'write {key}=flip,shift2 or, for several lists, {key}=[["flip"],["shift2"]] ([] for none)'
)
BRACKETS = frozenset("[](){}")
SEPARATORS = BRACKETS | frozenset(",;|/ ")
DECIMAL_COMMA = re.compile(r"0,(\d+)", re.ASCII)
BARE_WORD = re.compile(r"[^\s,\[\]()](?:[^,\[\]()]*[^\s,\[\]()])?")  # in a list
BAD_PYTHON = (ValueError, SyntaxError, MemoryError, RecursionError)  # what literal_eval raises
BAD_TOML = (ValueError, RecursionError)  # among them a number of thousands of digits, deep nests


def override(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Change fields of a recipe, each checked by name and type, and extend its name.

    Raises:
        UsageError: no such field, a value of another type, or out of its range.
    """
    checked = {key: typed(key, value) for key, value in changes.items()}
    new = {key: value for key, value in checked.items() if value != getattr(recipe, key)}
    if "weights" in new:  # Path.expanduser raises where nobody has that name
        new["weights"] = os.path.expanduser(new["weights"])  # noqa: PTH111
    additions = [f"{key}={_as_word(key, value)}" for key, value in new.items()]
    return replace(recipe, **new, name=_short("+".join([recipe.name, *additions])))


def read_settings(items: Sequence[str]) -> dict[str, Any]:
    """Read `key=value` words: values as in TOML, Python or YAML, bare words as strings.

    Of several values between commas a list comes, for `make_grid`.

    Raises:
        UsageError: a word without `=`, an empty value or one of another type in a list, a decimal
            comma, or two words of one field of which one has a list.
    """
    settings: dict[str, Any] = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals:
            raise UsageError(f"--set takes key=value, not {item!r}")
        key, value = name.strip(), _value_or_list(name.strip(), text.strip())
        if key in settings and any(is_list_of_values(key, v) for v in (value, settings[key])):
            raise UsageError(f"--set gives {key} twice, with a list; give all values in one --set")
        settings[key] = value
    return settings


def is_list_of_values(key: str, value: object) -> bool:
    """Tell whether a field is given several values; one value of `augment` is a list itself."""
    if not isinstance(value, list):
        return False
    return KINDS.get(key) != LIST_OF_WORDS or any(isinstance(one, list) for one in value)


def read_config(path: Path) -> dict[str, Any]:
    """Read recipe fields from a TOML file.

    Raises:
        UsageError: the file cannot be read, or is no TOML.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe or a device may never end
            raise UsageError(f"--config {path} is no file; name a TOML file of recipe fields")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows may put a BOM
    except UnicodeDecodeError:  # PowerShell's > writes UTF-16
        raise UsageError(f"--config {path} is not in UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise UsageError(f"cannot read --config {path}: {error}") from None
    except BAD_TOML as error:
        raise UsageError(f"--config {path} is no TOML: {error}") from None


def as_plain(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as JSON values, for a record; its source stands in the code."""
    defaults = {field.name: field.default for field in fields(Recipe)}
    told = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(recipe).items()
        if key != "source" and (key in TOLD or value != defaults[key])
    }
    # a path may be long; which file it is, the spec tells by its hash
    return told | ({"weights": _as_word("weights", recipe.weights)} if "weights" in told else {})


def _as_word(key: str, value: Any) -> str:  # noqa: ANN401 - any field
    if key == "weights":
        name = one_line(Path(value).name.encode("utf-8", "replace").decode())  # may be any bytes
        return name[-MAX_FILE_CHARS:]
    return "/".join(value) or "none" if isinstance(value, tuple) else str(value).lower()


def _short(name: str) -> str:
    """Shorten a name that a record has no room for to the number of changes and a hash."""
    if len(name) <= MAX_NAME_CHARS:
        return name
    base, *changes = name.split("+")
    return f"{base}+{len(changes)}changes-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _value_or_list(key: str, text: str) -> Any:  # noqa: ANN401 - as _toml_value
    """Read TOML, or a list; `typed` reads what stays a text."""
    value = _toml_value(text)
    if value != text:
        return value
    values = _list_in(key, text)
    if is_list_of_values(key, values):
        for one in values or ():
            typed(key, one, text)
    return text if values is None else values


def _list_in(key: str, text: str) -> list[Any] | None:
    """Read a list in brackets, or values between commas; None where the text is neither."""
    if text.startswith(("[", "(")):
        value = _python_value(text)
        if isinstance(value, list | tuple):
            return [*map(_as_lists, value)]
    if "," not in text or KINDS.get(key) == LIST_OF_WORDS:
        return None
    if decimal := _decimal_remedy(key, text):
        raise UsageError(f"--set {key}={text} is not clear: {decimal}")
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise UsageError(f"--set {key}={_shown(text)} has an empty value; write such as 32,64")
    return [_toml_value(word) for word in words]


def _as_lists(value: Any) -> Any:  # noqa: ANN401 - any Python literal
    return [*map(_as_lists, value)] if isinstance(value, list | tuple) else value


def _toml_value(text: str) -> Any:  # noqa: ANN401 - whatever the user wrote; see typed
    try:
        read = tomllib.loads(f"value = {text}")
    except BAD_TOML:
        return text
    return read["value"] if len(read) == 1 else text  # a second line is no value


def typed(key: str, value: Any, text: str = "") -> Any:  # noqa: ANN401 - the field decides the type
    """Return the value in the type of its field: a whole number for a float, a word for a list.

    Args:
        key: the field.
        value: what is given for it.
        text: what the user wrote, where the value is a part of it.

    Raises:
        UsageError: no such field, or a value of another type.
    """
    if key not in KINDS:
        raise UsageError(f"a recipe has no field {key!r}; choose from {', '.join(KINDS)}")
    kind = KINDS[key]
    given = _python_value(value) if isinstance(value, str) and kind is not str else value
    if given is None and NoneType in get_args(kind):  # TOML has no null
        return None
    try:
        if kind == LIST_OF_WORDS:
            given = _names(given)
        if given is None or (isinstance(given, int) and abs(given) > MAX_WHOLE):
            raise msgspec.ValidationError
        return msgspec.convert(given, kind)
    except msgspec.ValidationError:
        given = f"{_shown(value)} in {_shown(text)}" if text else _shown(value)
        line = "; ".join(filter(None, (f"takes {_taken(key)}, not {given}", _remedy(key, value))))
        raise UsageError(f"recipe field {key} {line}") from None


def _python_value(text: str) -> Any:  # noqa: ANN401 - whatever the user wrote
    """Read what is no TOML as Python or YAML: `.05`, `True`, `~`, `('a', 'b')`, `[a, [b, c]]`."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    spellings = [text]
    if text.startswith(("[", "(")):  # of words without quotes, as YAML and shells leave them
        spellings.append(BARE_WORD.sub(lambda word: repr(_toml_value(word[0])), text))
    for spelling in spellings:
        with suppress(*BAD_PYTHON), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python's parser, about odd spellings
            return ast.literal_eval(spelling)
    return text


def _names(given: Any) -> Any:  # noqa: ANN401 - whatever the user wrote
    """A list of names from `a,b`, a list or none.

    Raises:
        msgspec.ValidationError: no list, a bracket without the other, or none among names.
    """
    if isinstance(given, str):
        given = [name for word in given.split(",") if (name := word.strip())]
    names = [] if given is None else given
    if not isinstance(names, list | tuple):  # a set has no order
        raise msgspec.ValidationError
    for name in names:
        if isinstance(name, str) and (BRACKETS & set(name) or WORDS.get(name.lower(), "") is None):
            raise msgspec.ValidationError
    return names


def _taken(key: str) -> str:
    """Say in words what a field takes."""
    words = ", ".join(CHOICES[key]) if key in CHOICES else TAKES[_kinds(key)[0]]
    return f"{words} or none" if NoneType in get_args(KINDS[key]) else words


def _kinds(key: str) -> list[Any]:
    """Return the types of a field's values, but for None."""
    return [kind for kind in (KINDS[key], *get_args(KINDS[key])) if kind in TAKES]


def _remedy(key: str, value: object) -> str:
    """Say what to write where a value looks like several; empty where it does not."""
    if KINDS[key] == LIST_OF_WORDS:
        return SEVERAL_LISTS.format(key=key)
    if not isinstance(value, str) or not SEPARATORS & set(value):
        return ""
    one, two = next(pair for kind, pair in EXAMPLES.items() if kind in _kinds(key))
    several = f"for several values write [{one}, {two}], or --set {key}={one},{two}"
    return _decimal_remedy(key, value) or several


def _decimal_remedy(key: str, text: str) -> str:
    """Say what to write instead of `0,05`, which may be one number or two; empty for others."""
    found = DECIMAL_COMMA.fullmatch(text) if key in KINDS and float in _kinds(key) else None
    if not found:
        return ""
    second = found[1].lstrip("0") or "0"
    return f"write {text.replace(',', '.')}; for the two values [0, {second}]"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]} ..."
