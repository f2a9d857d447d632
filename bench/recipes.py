"""The named recipes."""

from bench.errors import UsageError
from bench.recipe import Recipe

DEFAULT = Recipe(
    name="default",
    source="ours: one recipe for every model; docs/recipes.md tells how it was chosen",
    optimizer="adamw",
    schedule="linear",
    warmup_fraction=0.2,
    batch_size=128,
    drop_last=True,
    normalize="dataset",
    augment=("flip",),
    weight_decay=0.01,
    validation_fraction=0.1,
)
CLASSIC = Recipe(
    name="classic",
    source="the V0/V1/V2 course project: SGD 0.1, batch 32, constant, all 60,000 images",
    learning_rate=0.1,
)
RECIPES = {recipe.name: recipe for recipe in (DEFAULT, CLASSIC)}


def find_recipe(name: str) -> Recipe:
    """The recipe of this exact name.

    Raises:
        UsageError: there is none; the line lists the choices.
    """
    if name not in RECIPES:
        raise UsageError(f"unknown recipe {name!r}; choose from {', '.join(RECIPES)}")
    return RECIPES[name]
