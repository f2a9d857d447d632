"""The named recipes: ours, and those of the five reference projects (R0 to R4) under two protocols.

The reference recipes stand here in their `clean` form: whatever is chosen (weights, learning rate,
end of the training) is chosen on a stratified tenth of the training images, and the test images are
read once. `as_published` puts back each project's own split and selection. A system is a model with
the recipe that it was published with. docs/systems.md has the sources and where their descriptions
and their code differ.
"""

from dataclasses import replace
from typing import Any, NamedTuple

from bench.errors import UsageError
from bench.spec.recipe import Recipe
from fmnist_models import list_models, model_info, resolve_names

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
    source="R4, V0/V1/V2: SGD 0.1, batch 32, constant, all 60,000 images",
    learning_rate=0.1,
    epochs=3,
)
R0_RESNET4 = Recipe(
    name="r0_resnet4",
    source="R0, ResNet-4: SGD, momentum 0.9, batch 64, 20 epochs; the rate is ours",
    learning_rate=0.01,  # of 0.002, 0.01 and 0.05: results/tables/cpu-r0-resnet4-rates.md
    momentum=0.9,
    weight_decay=5e-4,
    batch_size=64,
    epochs=20,
    selection="accuracy",
    validation_fraction=0.1,
)
R0_ALEXNET = replace(
    R0_RESNET4,
    name="r0_alexnet",
    source="R0 names an AlexNet and gives no recipe; ours: SGD 0.01, momentum 0.9, batch 128",
    batch_size=128,
)
R1_RESNET50 = Recipe(
    name="r1_resnet50",
    source="R1, ResNet-50 with a two-layer head: 16x16, cyclic SGD stepped once an epoch",
    learning_rate=0.01,
    base_learning_rate=0.001,
    momentum=0.9,
    base_momentum=0.8,
    schedule="triangular2",
    schedule_epochs=5,
    batch_size=500,
    normalize="half",
    input_size=16,
    epochs=25,
    selection="accuracy",
    validation_fraction=0.1,
    weights="imagenet",
)
R1_RESNET50_STEM_HEAD = replace(
    R1_RESNET50,
    name="r1_resnet50_stem_head",
    source="R1 as its text says and its code does not: the middle of the network frozen",
    trainable="stem_head",
)
R2_RESNET8 = Recipe(
    name="r2_resnet8",
    source="R2, ResNet-8: Adam 1e-4, batch 64, plateau and early stopping on validation loss",
    optimizer="adam",
    learning_rate=1e-4,
    schedule="plateau",
    schedule_factor=0.1,
    schedule_patience=4,
    stop_patience=10,
    batch_size=64,
    epochs=1000,
    selection="loss",
    validation_fraction=0.1,
)
R2_RESNET18 = replace(
    R2_RESNET8,
    name="r2_resnet18",
    source="R2, ResNet-18 from ImageNet weights, all of it fine-tuned",
    weights="imagenet",
)
R3_RESNET18 = Recipe(
    name="r3_resnet18",
    source="R3, ResNet-18 from scratch: Adam 1e-3, a tenth of it every 5 epochs, batch 100",
    optimizer="adam",
    learning_rate=1e-3,
    schedule="step",
    schedule_epochs=5,
    schedule_factor=0.1,
    batch_size=100,
    epochs=20,
    selection="accuracy",
    validation_fraction=0.1,
)
R3_FASHION_CNN = Recipe(
    name="r3_fashion_cnn",
    source="R3, FashionCNN as on Kaggle: Adam 1e-3, batch 100, 5 epochs",
    optimizer="adam",
    learning_rate=1e-3,
    batch_size=100,
    epochs=5,
    validation_fraction=0.1,
)
RECIPES = {
    recipe.name: recipe
    for recipe in (
        DEFAULT,
        CLASSIC,
        R0_RESNET4,
        R0_ALEXNET,
        R1_RESNET50,
        R1_RESNET50_STEM_HEAD,
        R2_RESNET8,
        R2_RESNET18,
        R3_RESNET18,
        R3_FASHION_CNN,
    )
}
CLEAN, AS_PUBLISHED = "clean", "as_published"
ON_TEST = {"split": "test", "validation_fraction": 0.0}
ON_HALF = {"split": "half_test", "validation_fraction": 0.0, "stop_patience": 5}
PUBLISHED: dict[str, dict[str, Any]] = {  # what a project's own protocol changes
    "classic": {"order": "dataloader"},
    "r0_resnet4": ON_TEST | {"input_size": 96, "learning_rate": 0.002},  # of its last commit
    "r0_alexnet": ON_TEST,
    "r1_resnet50": ON_TEST,
    "r1_resnet50_stem_head": ON_TEST,
    "r2_resnet8": ON_HALF,
    "r2_resnet18": ON_HALF | {"stem": "random"},
    "r3_resnet18": {"split": "swapped", "validation_fraction": 0.25},
    "r3_fashion_cnn": {"order": "sequential", "validation_fraction": 0.0},
}
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


def find_recipe(name: str, protocol: str | None = None) -> Recipe:
    """Return the recipe of this exact name, under a protocol if one is named.

    Raises:
        UsageError: there is none; the line lists the choices.
    """
    if name not in RECIPES:
        raise UsageError(f"unknown recipe {name!r}; choose from {', '.join(RECIPES)}, published")
    return RECIPES[name] if protocol is None else under_protocol(RECIPES[name], protocol)


def under_protocol(recipe: Recipe, protocol: str) -> Recipe:
    """Return a reference recipe as `clean` or `as_published`; the latter's name says so.

    Raises:
        UsageError: no such protocol, or nobody has published this recipe.
    """
    if protocol not in {CLEAN, AS_PUBLISHED}:
        raise UsageError(f"unknown protocol {protocol!r}; choose from {CLEAN}, {AS_PUBLISHED}")
    if recipe.name not in PUBLISHED:
        choices = ", ".join(PUBLISHED)
        raise UsageError(f"recipe {recipe.name} is no published one; protocols are for {choices}")
    if protocol == CLEAN and recipe.validation_fraction:
        return recipe
    if protocol == CLEAN:  # the classic one keeps nothing for validation by itself
        return replace(recipe, validation_fraction=0.1, name=f"{recipe.name}@{CLEAN}")
    return replace(
        recipe,
        **PUBLISHED[recipe.name],
        precision="fp32",
        protocol=AS_PUBLISHED,
        name=f"{recipe.name}@{AS_PUBLISHED}",
    )


def systems_of(model: str) -> list[System]:
    """Return the systems of a model; a variant is trained as the model that it changes.

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
    """Return the systems that a `--models` value asks for; `all` are all published ones.

    Raises:
        UsageError: nobody has published one of them.
        ModelError: no such model.
    """
    if request.strip() == "all":
        return list(SYSTEMS)
    return [system for model in resolve_names(request) for system in systems_of(model)]
