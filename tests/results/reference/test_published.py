"""What the reference projects report, held to recipes and models; tables, held to their records.

A published table shows every number and every note of its systems.
"""

from itertools import chain
from pathlib import Path

import pytest

from bench.spec.named_recipes import PUBLISHED, RECIPES, find_recipe, systems_of
from data_pipeline.sources.files import CLASS_NAMES as DATA_CLASS_NAMES
from fmnist_models import list_models, model_info
from results import read_records, summarize, table_rows
from results.classes import CLASS_NAMES, never_predicted
from results.reference.reported import REPORTED, find_reported
from results.reference.table import export_published
from results.render.formats import export
from tests.command_line import REPOSITORY

FOLDER = REPOSITORY / "results" / "tables"
TABLES = sorted([*FOLDER.glob("cpu-*.jsonl"), *FOLDER.glob("published-*.jsonl")])


def test_tables_of_both_kinds_are_published() -> None:
    kinds = [path.stem.partition("-")[0] for path in TABLES]
    assert kinds.count("cpu") >= 3
    assert "published" in kinds


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_published_table_follows_from_its_records_of_one_clean_commit(path: Path) -> None:
    records = read_records(path)
    assert len({record.provenance["commit"] for record in records}) == 1
    assert {record.provenance["dirty"] for record in records} == {False}
    if path.stem.startswith("published"):
        table = export_published(records, "markdown")
    else:
        table = export(table_rows(summarize(records)), "markdown")
    assert table in path.with_suffix(".md").read_text(encoding="utf-8")


def test_every_system_and_every_variant_of_one_has_a_row() -> None:
    for system in chain(*map(systems_of, list_models())):
        found = find_reported(*system)
        assert found is not None, system
        is_variant = model_info(system.model).variant_of is not None
        if is_variant and system.model != "resnet4_dropout":  # R0's own
            assert found.system.endswith("(ours)"), system
            assert found.percent is None, system


@pytest.mark.parametrize(
    ("percent", "accuracy", "half_digit"),
    [("92.1", 0.921, 0.0005), ("90.38", 0.9038, 0.00005), ("~90.7", 0.907, 0.004)],
)
def test_a_number_is_as_exact_as_it_is_written(
    percent: str, accuracy: float, half_digit: float
) -> None:
    (row,) = (row for row in REPORTED if row.percent == percent)
    assert row.accuracy == accuracy
    assert row.half_digit == pytest.approx(half_digit)


def test_each_has_a_name_a_training_of_its_own_and_the_epochs_of_a_published_recipe() -> None:
    assert len({row.system for row in REPORTED}) == len(REPORTED)
    assert len({(row.model, row.recipe) for row in REPORTED}) == len(REPORTED)
    assert {row.model for row in REPORTED} <= set(list_models())
    trained = {(row.recipe, row.epochs) for row in REPORTED}
    assert trained == {(recipe, RECIPES[recipe].epochs) for recipe in PUBLISHED}


def test_an_accuracy_says_on_what_images_those_of_the_projects_own_split() -> None:
    for row in REPORTED:
        assert (row.evaluated_on is None) == (row.trained_on is None) == (row.percent is None)
        published = find_recipe(row.recipe, "as_published")
        split = {"train": "test"}.get(published.split, published.split)
        assert row.percent is None or row.images == split
        assert not row.chooses_nothing or not published.has_validation


def test_a_note_is_one_sentence() -> None:
    notes = {note for row in REPORTED for note in row.notes}
    assert [note for note in notes if not note.endswith(".") or ". " in note] == []


@pytest.mark.parametrize(
    ("model", "recipe", "system"),
    [
        ("resnet18", "r2_resnet18", "R2 ResNet-18"),
        ("resnet18", "r2_resnet18@clean+batch_size=32", "R2 ResNet-18"),
        ("resnet18", "r2_resnet18+weights=random", "R2 ResNet-18"),
        ("resnet18", find_recipe("r2_resnet18", "as_published").name, "R2 ResNet-18"),
        ("resnet18", find_recipe("r2_resnet18", "clean").name, "R2 ResNet-18"),
        ("resnet18", "default", None),
        ("resnet8", "r2_resnet18", None),
        ("v0", "classical", None),
    ],
)
def test_a_recipe_is_found_under_every_protocol_and_change(
    model: str, recipe: str, system: str | None
) -> None:
    found = find_reported(model, recipe)
    assert (found and found.system) == system


def test_the_classes_are_those_of_the_data() -> None:
    assert CLASS_NAMES == DATA_CLASS_NAMES


def test_a_class_is_never_predicted_where_its_column_is_empty() -> None:
    confusion = [[5] * 10 for _ in range(10)]
    assert never_predicted(confusion) == ()
    for row in confusion:
        row[3] = row[9] = 0
    confusion[4] = [0] * 10  # a class without images is no class that is not predicted
    assert never_predicted(confusion) == ("Dress", "Ankle boot")
