"""Peak learning rates of the default recipe, one a model, from one equal-effort sweep.

The sweep is `python -m tools.lr_sweep`: the same grid and the same number of steps for every model,
judged on validation data alone. It writes `learning_rates.toml` beside this file and the whole grid
to `results/tables/learning_rates.md`.
"""

import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path

from bench.spec.named_recipes import DEFAULT
from bench.spec.recipe import Recipe
from fmnist_models import list_models, model_info

TABLE = Path(__file__).with_name("learning_rates.toml")


@cache
def read_rates() -> dict[str, float]:
    """Read the peak learning rate by model name; `base` is for models that were not swept."""
    rates = tomllib.loads(TABLE.read_text(encoding="utf-8"))["peak"]
    return {name: float(rate) for name, rate in rates.items()}


def peak_learning_rate(recipe: Recipe, model: str) -> tuple[float, str]:
    """Return the peak rate for this model, and where it comes from.

    That is `recipe`, `sweep`, `changed` (the sweep's, but the recipe is no longer the one swept),
    `sibling` (a variant takes the rate of the model it changes) or `base`.
    """
    if recipe.learning_rate is not None:
        return recipe.learning_rate, "recipe"
    rates = read_rates()
    if model in rates and model != "base":
        return rates[model], "sweep" if is_as_swept(recipe) else "changed"
    sibling = model_info(model).variant_of if model in list_models() else None
    if sibling in rates:
        return rates[sibling], "sibling"
    return rates["base"], "base"


def is_as_swept(recipe: Recipe) -> bool:
    """Tell whether a recipe trains as the sweep did, but for precision and validation share."""
    as_swept = replace(
        recipe,
        name=DEFAULT.name,
        precision=DEFAULT.precision,
        validation_fraction=DEFAULT.validation_fraction,
    )
    return as_swept == DEFAULT
