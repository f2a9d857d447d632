"""A grid of recipes: every combination of the values that `--set` or a TOML file list."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

from bench.errors import UsageError
from bench.spec.recipe import Recipe
from bench.spec.recipe_settings import override
from bench.spec.values import is_list_of_values, typed
from results.text import cut, listed

MAX_COMBINATIONS = 1000


def listed_fields(changes: Mapping[str, Any]) -> list[str]:
    """Return the fields that are given several values."""
    return [key for key, value in changes.items() if is_list_of_values(key, value)]


def make_grid(recipe: Recipe, changes: Mapping[str, Any]) -> list[Recipe]:
    """Change a recipe by every combination of the listed values, those of the last field in turn.

    Args:
        recipe: what is changed.
        changes: a value, or a list of values, by field.

    Raises:
        UsageError: too many combinations, no value or the same one twice in a list, or a
            combination that makes no recipe; one line.
    """
    axes = {key: changes[key] for key in listed_fields(changes)}
    count = math.prod(max(1, len(values)) for values in axes.values())
    if count > MAX_COMBINATIONS:
        raise UsageError(
            f"the values of {listed(axes)} make {count:,} combinations, more than the "
            f"{MAX_COMBINATIONS:,} of one run; list fewer"
        )
    for key, values in axes.items():
        _check_values(key, values)
    return [
        _combined(recipe, changes, dict(zip(axes, values, strict=True)))
        for values in itertools.product(*axes.values())
    ]


def _check_values(key: str, values: list[Any]) -> None:
    if not values:
        raise UsageError(f"the list of {key} has no value; give some, or leave {key} out")
    known: list[Any] = []
    for value in values:
        one = typed(key, value)
        if one in known:
            raise UsageError(f"the list of {key} has {cut(str(value))} twice; give each value once")
        known.append(one)


def _combined(recipe: Recipe, changes: Mapping[str, Any], chosen: Mapping[str, Any]) -> Recipe:
    try:
        return override(recipe, {**changes, **chosen})
    except UsageError as error:
        if not chosen:
            raise
        combination = ", ".join(f"{key}={cut(str(value))}" for key, value in chosen.items())
        raise UsageError(f"{combination}: {error}") from None
