"""What the reference projects report, as data: held to the recipes, the models and the classes."""

from itertools import chain

import pytest

from bench.spec.named_recipes import PUBLISHED, RECIPES, find_recipe, systems_of
from data_pipeline.sources.files import CLASS_NAMES as DATA_CLASS_NAMES
from fmnist_models import list_models, model_info
from results.classes import CLASS_NAMES, never_predicted
from results.reference.reported import REPORTED, find_reported

TEN = {  # system -> accuracy, as a table of the five projects has it
    "R0 ResNet-4": 0.921,
    "R0 AlexNet": None,
    "R1 ResNet-50": None,
    "R2 ResNet-8": 0.9038,
    "R2 ResNet-18": 0.8952,
    "R3 ResNet-18": 0.8835,
    "R3 FashionCNN": 0.907,
    "R4 V0": 0.8343,
    "R4 V1": 0.7502,
    "R4 V2": 0.8806,
}


def test_the_ten_systems_are_there_with_their_accuracies() -> None:
    reported = {row.system: row.accuracy for row in REPORTED}
    assert {system: reported[system] for system in TEN} == TEN
    others = {system for system in reported if system not in TEN and "(ours)" not in system}
    assert others == {"R0 ResNet-4 dropout", "R1 ResNet-50 stem+head"}


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


def test_only_r4_reports_losses_and_r3_and_r4_times_with_their_device() -> None:
    assert [row.system for row in REPORTED if row.loss] == ["R4 V0", "R4 V1", "R4 V2"]
    timed = [row for row in REPORTED if row.seconds]
    assert {row.system: row.device for row in timed} == {
        "R3 ResNet-18": "CPU",
        "R3 FashionCNN": None,  # "only 3 minutes" does not say on what
        "R4 V0": "CPU",
        "R4 V1": "GPU",
        "R4 V2": "GPU",
    }
    assert all(any("cannot be compared" in note for note in row.notes) for row in timed)
    assert not any(row.device for row in REPORTED if row not in timed)


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


@pytest.mark.parametrize(  # of what the golden footer has no row
    ("system", "words"),
    [
        ("R0 AlexNet", ["the file is empty"]),
        (
            "R3 FashionCNN",
            [
                *("labels ResNet and CNN are swapped", "split and epochs for FashionCNN are"),
                *("only 3 minutes", "never calls eval()"),
            ],
        ),
        ("R4 V0", ["means of batch means"]),
    ],
)
def test_what_is_known_to_be_wrong_is_said(system: str, words: list[str]) -> None:
    (row,) = (row for row in REPORTED if row.system == system)
    assert [word for word in words if sum(word in note for note in row.notes) != 1] == []


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
