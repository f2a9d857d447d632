"""The command `list`; loads neither torch nor pandas."""

from collections.abc import Iterable

from bench.keep.provided import provided_records
from bench.shell import write_out
from bench.spec.budget import EXAMPLES, UNITS
from bench.spec.named_recipes import PUBLISHED_RECIPES, RECIPES
from bench.spec.plan import AUTO, LADDER, NUMBERED_TOKENS, TOKENS
from fmnist_models import list_models, model_info


def list_() -> None:
    """List models, recipes, budgets and plans."""
    write_out(listing())


def listing() -> str:
    """Everything that `run` knows by name, as text."""
    sections = [
        _section("models (--models, all = the first nine)", map(_model, list_models())),
        "  torchvision:NAME, timm:NAME, path/to/file.py:CALLABLE\n",
        _section("recipes (--recipe)", _recipes()),
        _section(f"budgets (--budget), such as {EXAMPLES}", UNITS.items()),
        _section("plans (--plan), parts joined by commas", _plans()),
        _section("trained models that come with it (predict)", _provided()),
    ]
    return "\n".join(sections)


def _model(name: str) -> tuple[str, str]:
    info = model_info(name)
    variant = f" [variant of {info.variant_of}]" if info.variant_of else ""
    return name, f"{info.input_size}x{info.input_size}  {info.summary}{variant}"


def _recipes() -> Iterable[tuple[str, str]]:
    for recipe in RECIPES.values():
        yield recipe.name, recipe.source
    yield PUBLISHED_RECIPES, "each reference system by its own; --protocol clean or as_published"


def _provided() -> Iterable[tuple[str, str]]:
    for name, record in provided_records().items():
        accuracy = record.value("test_accuracy")
        budget, recipe = record.spec["budget"], record.spec["recipe"]["name"]
        yield name, f"{accuracy:.2%} of the test images; recipe {recipe}, {budget}"


def _plans() -> Iterable[tuple[str, str]]:
    yield AUTO, "tries plans on the real step and takes the best for this budget"
    yield LADDER, "measures the plans of each model against each other instead of training"
    for token, (_, _, meaning) in TOKENS.items():
        yield token, meaning
    for name, (_, meaning) in NUMBERED_TOKENS.items():
        yield f"{name}:N", meaning


def _section(title: str, lines: Iterable[tuple[str, str]]) -> str:
    pairs = list(lines)
    width = max(len(name) for name, _ in pairs)
    return "\n".join([title, *(f"  {name:<{width}}  {text}" for name, text in pairs)]) + "\n"
