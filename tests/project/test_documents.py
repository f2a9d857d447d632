"""Documents that must keep up with the code: trees, options, links, systems and their costs."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from bench.measure.workload import flops_per_image
from bench.spec.named_recipes import PUBLISHED, find_recipe
from bench.spec.recipe import TEST_IMAGES, TRAIN_IMAGES
from fmnist_models import build_model, list_models
from results.reference.reported import REPORTED
from tests.command_line import finish

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    path: path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
}
SYSTEMS = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")
PUBLISHED_TEXT = (ROOT / "docs" / "published.md").read_text(encoding="utf-8")
NUMBER = r"([\d,]+)"
CELLS = [r"`(\w+?)(?:@(\w+))?`", r"`(\w+)`", NUMBER, NUMBER, NUMBER, NUMBER, r"(\S+)", r"[\d.,]+"]
COSTS = re.findall(r" \| ".join(CELLS) + r" \|", PUBLISHED_TEXT)


def test_the_stair_in_the_design_has_every_floor_in_its_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (c["layers"] for c in contracts["contracts"] if c.get("containers") == ["bench"])
    floors = [name for layer in layers for name in layer.split(" | ")]
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    stair = design[design.index("what stands on a floor") : design.index("results  ")]
    drawn = re.findall(r"^ +(?:└ )?(\w+)/?(?: {2}(\w+) )?", stair, re.MULTILINE)
    assert [name for pair in drawn for name in pair if name] == floors


def test_the_tree_in_the_readme_has_every_folder() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = re.findall(r"^(\w+)/ ", readme[readme.index("## Where things are") :], re.MULTILINE)
    listed = finish("git", "ls-tree", "-d", "--name-only", "HEAD", check=True)
    assert set(tree) == {name for name in listed.stdout.split() if not name.startswith(".")}


def test_the_options_document_is_what_the_command_line_says(tmp_path: Path) -> None:
    fresh = tmp_path / "cli.md"
    command = ["-m", "typer", "bench.cli", "utils", "docs", "--name", "fmnist-bench"]
    finish(sys.executable, *command, "--output", fresh, check=True)
    assert (ROOT / "docs" / "cli.md").read_text() == fresh.read_text(), "run `make docs`"


def test_links_lead_somewhere() -> None:
    broken = [
        f"{page.name}: {link}"
        for page, text in DOCUMENTS.items()
        for link in re.findall(r"\]\(([^)#]+)\)", text)
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert broken == []


def test_a_file_that_is_named_is_there() -> None:
    """From the root of the checkout, or from `bench/` as docs/design.md has it; not in history."""
    path = re.compile(r"(?<![\w/.])((?:[a-z]\w*/)+\w+\.(?:py|toml))\b")
    missing = [
        f"{page.name}: {name}"
        for page, text in DOCUMENTS.items()
        if page.name not in {"log.md", "CHANGELOG.md"}
        for name in path.findall(text)
        if not name.startswith("path/")
        and not any((top / name).exists() for top in (ROOT, ROOT / "bench"))
    ]
    assert missing == []


def test_a_page_stays_short() -> None:
    """The README 150 lines, others 200; those that are generated or only grow are exempt."""
    limits = {"README.md": 150, "cli.md": 400, "CHANGELOG.md": 1000}
    lengths = {page.name: len(text.splitlines()) for page, text in DOCUMENTS.items()}
    assert {name: n for name, n in lengths.items() if n > limits.get(name, 200)} == {}


def test_every_model_has_a_line_in_the_models_document() -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert [name for name in list_models() if f"| `{name}` |" not in text] == []


def test_the_glossary_is_in_order() -> None:
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    words = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][1:]
    assert words == sorted(words, key=lambda word: word.lower().replace("-", " "))


def test_no_blank_is_left_to_fill() -> None:
    blanks = {page.name: re.findall(r"@[A-Z]+@", text) for page, text in DOCUMENTS.items()}
    assert {name: found for name, found in blanks.items() if found} == {}


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_every_system_is_described_with_its_accuracy() -> None:
    for row in REPORTED:
        assert f"`{row.model}`" in SYSTEMS
        assert f"`{row.recipe}`" in SYSTEMS
        assert row.accuracy is None or f"{row.accuracy * 100:.4g}" in SYSTEMS


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
    models = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
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
