"""Recipe fields as text: `--set key=value` and TOML files are read, values are shown."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.shell import from_home
from bench.spec.recipe import Recipe
from bench.spec.values import BAD_TOML, is_list_of_values, typed, value_or_list
from results.text import one_line

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
MAX_NAME_CHARS, MAX_FILE_CHARS = 160, 60


def override(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Change fields of a recipe, each checked by name and type, and extend its name.

    Raises:
        UsageError: no such field, a value of another type, or out of its range.
    """
    checked = {key: typed(key, value) for key, value in changes.items()}
    new = {key: value for key, value in checked.items() if value != getattr(recipe, key)}
    if "weights" in new:
        new["weights"] = from_home(new["weights"])
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
        key, value = name.strip(), value_or_list(name.strip(), text.strip())
        if key in settings and any(is_list_of_values(key, v) for v in (value, settings[key])):
            raise UsageError(f"--set gives {key} twice, with a list; give all values in one --set")
        settings[key] = value
    return settings


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
