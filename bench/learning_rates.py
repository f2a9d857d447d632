"""Peak learning rates of the default recipe, one a model, from one equal-effort sweep.

The sweep is `python -m bench.lr_sweep`: the same grid and the same number of steps for every model,
judged on validation data alone. It writes `learning_rates.toml` beside this file and the whole grid
to `results/tables/learning_rates.md`.
"""

import tomllib
from functools import cache
from pathlib import Path

from bench.recipe import Recipe

TABLE = Path(__file__).with_name("learning_rates.toml")


@cache
def read_rates() -> dict[str, float]:
    """Peak learning rate by model name; the key `base` is for models that the sweep did not see."""
    rates = tomllib.loads(TABLE.read_text(encoding="utf-8"))["peak"]
    return {name: float(rate) for name, rate in rates.items()}


def peak_learning_rate(recipe: Recipe, model: str) -> tuple[float, str]:
    """The peak rate for this model, and where it comes from: `recipe`, `sweep` or `base`."""
    if recipe.learning_rate is not None:
        return recipe.learning_rate, "recipe"
    rates = read_rates()
    if model in rates and model != "base":
        return rates[model], "sweep"
    return rates["base"], "base"
