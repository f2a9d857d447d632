"""The harness: budgets, recipes, plans, training, measuring, isolation, command line.

`Budget`, `Recipe`, `Plan` and `RunSpec` load no torch; `execute` does, when it is called.
"""

from bench.budget import Budget
from bench.errors import UsageError
from bench.plan import Plan
from bench.recipe import Recipe
from bench.recipes import RECIPES
from bench.runner import execute
from bench.spec import RunSpec

__all__ = ["RECIPES", "Budget", "Plan", "Recipe", "RunSpec", "UsageError", "execute"]
