"""The harness: budgets, recipes, plans, training, measuring, isolation, command line.

`Budget`, `Recipe`, `Plan` and `RunSpec` load no torch; `execute` does, when it is called.
"""

from bench.errors import UsageError
from bench.run.runner import execute
from bench.spec.budget import Budget
from bench.spec.named_recipes import RECIPES
from bench.spec.plan import Plan
from bench.spec.recipe import Recipe
from bench.spec.run_spec import RunSpec

__all__ = ["RECIPES", "Budget", "Plan", "Recipe", "RunSpec", "UsageError", "execute"]
