"""docs/systems.md has every system; the costs in docs/published.md follow from the recipes."""

import re

import pytest

from bench.measure.workload import flops_per_image
from bench.spec.named_recipes import PUBLISHED, find_recipe
from bench.spec.recipe import TEST_IMAGES, TRAIN_IMAGES
from fmnist_models import build_model
from results.reference.reported import REPORTED
from tests.command_line import REPOSITORY

TEXT = (REPOSITORY / "docs" / "systems.md").read_text(encoding="utf-8")
PUBLISHED_TEXT = (REPOSITORY / "docs" / "published.md").read_text(encoding="utf-8")
NUMBER = r"([\d,]+)"
CELLS = [r"`(\w+?)(?:@(\w+))?`", r"`(\w+)`", NUMBER, NUMBER, NUMBER, NUMBER, r"(\S+)", r"[\d.,]+"]
COSTS = re.findall(r" \| ".join(CELLS) + r" \|", PUBLISHED_TEXT)


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_every_system_is_described_with_its_accuracy() -> None:
    for row in REPORTED:
        assert f"`{row.model}`" in TEXT
        assert f"`{row.recipe}`" in TEXT
        assert row.accuracy is None or f"{row.accuracy * 100:.4g}" in TEXT


def test_the_costs_of_all_recipes_stand_there_under_both_protocols() -> None:
    assert {(recipe, protocol or "clean") for recipe, protocol, *_ in COSTS} == {
        (recipe, protocol) for recipe in PUBLISHED for protocol in ("clean", "as_published")
    }


def test_every_cost_follows_from_its_recipe() -> None:
    wanted = []
    for name, protocol, model, _, _, _, flops, _ in COSTS:
        recipe = find_recipe(name, protocol or "clean")
        files = TEST_IMAGES if recipe.split == "swapped" else TRAIN_IMAGES
        images, epochs = round(files * (1 - recipe.validation_fraction)), recipe.epochs or 0
        size, total = recipe.input_size or 28, f"{images * epochs * number(flops):.2e}"
        numbers = (str(size), f"{images:,}", f"{epochs:,}", flops, total)
        wanted.append((name, protocol, model, *numbers))
    assert wanted == COSTS


def test_flops_at_28_pixels_are_those_of_the_models_document() -> None:
    models = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
    known = {(model, flops) for _, _, model, size, *_, flops, _ in COSTS if size == "28"}
    assert known
    for model, flops in known:
        assert re.search(rf"\| `{model}` \| 28 \| [\d,]+ \| {flops} \|", models)


@pytest.mark.slow
def test_flops_at_other_sizes_are_what_torch_counts() -> None:
    others = {
        (model, int(size), number(flops))
        for name, _, model, size, *_, flops, _ in COSTS
        if size != "28" and "stem_head" not in name
    }
    assert {(model, size) for model, size, _ in others} == {("resnet4", 96), ("resnet50", 16)}
    for model, size, flops in others:
        assert flops_per_image(build_model(model), size) == flops


@pytest.mark.slow
def test_flops_of_stem_and_head_are_counted_with_the_middle_frozen() -> None:
    model = build_model("resnet50")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.split(".")[0] in {"conv1", "bn1", "fc"})
    (flops,) = {number(cost[6]) for cost in COSTS if "stem_head" in cost[0]}
    assert flops_per_image(model, 16) == flops
