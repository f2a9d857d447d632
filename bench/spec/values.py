"""Values of recipe fields as TOML, Python, YAML and people write them."""

import ast
import re
import tomllib
import warnings
from contextlib import suppress
from types import NoneType
from typing import Any, get_args, get_type_hints

import msgspec

from bench.errors import UsageError
from bench.spec.recipe import CHOICES, Recipe

RESERVED = {"name", "source", "protocol"}  # no settings: they say what a recipe is
KINDS = {  # type of each field that can be set
    name: kind for name, kind in get_type_hints(Recipe).items() if name not in RESERVED
}
LIST_OF_WORDS = tuple[str, ...]
MAX_VALUE_CHARS = 200
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


def is_list_of_values(key: str, value: object) -> bool:
    """Tell whether a field is given several values; one value of `augment` is a list itself."""
    if not isinstance(value, list):
        return False
    return KINDS.get(key) != LIST_OF_WORDS or any(isinstance(one, list) for one in value)


def value_or_list(key: str, text: str) -> Any:  # noqa: ANN401 - as _toml_value
    """Read TOML, or a list; `typed` reads what stays a text.

    Raises:
        UsageError: an empty value or one of another type in a list, or a decimal comma.
    """
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
