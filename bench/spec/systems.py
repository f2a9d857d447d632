"""The systems that the reference projects R0 to R4 have published, each with its recipe."""

from typing import NamedTuple

from bench.errors import UsageError
from fmnist_models import list_models, model_info, resolve_names

PUBLISHED_RECIPES = "published"  # what `--recipe` is told to ask for all of them
FIRST_SEED = 42  # R4's; no other project tells its own


class System(NamedTuple):
    """A model and the recipe of the project that published it."""

    model: str
    recipe: str


SYSTEMS = (
    System("v0", "classic"),
    System("v1", "classic"),
    System("v2", "classic"),
    System("fashion_cnn", "r3_fashion_cnn"),
    System("alexnet", "r0_alexnet"),
    System("resnet4", "r0_resnet4"),
    System("resnet4_dropout", "r0_resnet4"),
    System("resnet8", "r2_resnet8"),
    System("resnet18", "r2_resnet18"),
    System("resnet18", "r3_resnet18"),
    System("resnet50", "r1_resnet50"),
    System("resnet50", "r1_resnet50_stem_head"),
)


def systems_of(model: str) -> list[System]:
    """The systems of a model; a variant is trained as the model that it changes.

    Raises:
        UsageError: nobody has published it.
    """
    original = model_info(model).variant_of if model in list_models() else None
    published = [system for system in SYSTEMS if system.model in {model, original}]
    found = list(dict.fromkeys(System(model, system.recipe) for system in published))
    if not found:
        choices = ", ".join(dict.fromkeys(system.model for system in SYSTEMS))
        raise UsageError(
            f"--recipe published knows no {model}; choose from {choices} and their variants, "
            "or name one recipe"
        )
    return found


def asked_systems(request: str) -> list[System]:
    """The systems that a `--models` value asks for; `all` are all that were published.

    Raises:
        UsageError: nobody has published one of them.
        ModelError: no such model.
    """
    if request.strip() == "all":
        return list(SYSTEMS)
    return [system for model in resolve_names(request) for system in systems_of(model)]
