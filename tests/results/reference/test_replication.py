"""Our runs beside published numbers: intervals, verdicts and what keeps them from being a test."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import stdev
from typing import Any

import pytest

from results import RunRecord
from results.reference.footer import MARKS, lettered
from results.statistics import prediction_interval, wilson_interval
from tests.results.reference.published_by_hand import confusion_without, footer, make_run, row_of


def seeds(*accuracies: float, model: str = "resnet8", name: str = "r2_resnet8") -> list[RunRecord]:
    return [make_run(model, name, value, seed=seed) for seed, value in enumerate(accuracies)]


@pytest.mark.parametrize(
    ("split", "confusion", "num_images"),
    [
        ("train", confusion_without(num_images=5_000), 5_000),
        ("half_test", None, 5_000),  # without a matrix the split says it
        ("swapped", None, 60_000),
        ("test", None, 10_000),
    ],
)
def test_the_interval_of_one_seed_is_test_sampling_on_its_own_images(
    split: str, confusion: list[list[int]] | None, num_images: int
) -> None:
    name = "r3_resnet18@as_published"
    row = row_of(make_run("resnet18", name, recipe={"split": split}, confusion=confusion))
    assert row["test_accuracy_interval95"] == list(wilson_interval(0.9, num_images))
    assert row["interval_of"] == "test_sampling"


@pytest.mark.parametrize(
    ("accuracies", "model", "name", "bounds"),
    [
        ((0.92, 0.92, 0.92), "resnet4", "r0_resnet4", [0.9195, 0.9205]),  # beside 92.1 %
        ((0.9, 0.9), "fashion_cnn", "r3_fashion_cnn", [0.896, 0.904]),  # read off a picture
        ((0.1, 0.9), "resnet8", "r2_resnet8", [0.0, 1.0]),
    ],
)
def test_it_is_never_narrower_than_the_published_digits_and_stays_within_0_and_1(
    accuracies: Sequence[float], model: str, name: str, bounds: list[float]
) -> None:
    row = row_of(*seeds(*accuracies, model=model, name=name))
    assert row["test_accuracy_interval95"] == pytest.approx(bounds)


@pytest.mark.parametrize(
    ("model", "name", "split", "variance"),
    [
        ("resnet8", "r2_resnet8", "train", 1 / 10_000),  # theirs is half of ours
        ("resnet8", "r2_resnet8@as_published", "half_test", 1 / 5_000),  # halves share a half
        ("resnet18", "r3_resnet18", "train", 1 / 10_000 + 1 / 60_000),  # no image is shared
        ("resnet18", "r3_resnet18@as_published", "swapped", 0.0),
        ("v0", "classic@as_published", "train", 0.0),
        ("alexnet", "r0_alexnet", "train", 0.0),  # nothing is reported
    ],
)
def test_other_images_than_the_published_ones_broaden_it(
    model: str, name: str, split: str, variance: float
) -> None:
    values = (0.88, 0.89, 0.90)
    recipe = {"split": split}
    runs = [make_run(model, name, a, seed=s, recipe=recipe) for s, a in enumerate(values)]
    row = row_of(*runs)
    assert row["n_seeds"] == 3
    low, high = prediction_interval(values) or (0.0, 0.0)
    half = math.hypot((high - low) / 2, 1.96 * math.sqrt(0.89 * 0.11 * variance))
    assert row["test_accuracy_interval95"] == pytest.approx([0.89 - half, 0.89 + half])
    kind = "further_run_and_test_sampling" if variance else "further_run"
    assert row["interval_of"] == kind


@pytest.mark.slow
def test_the_variance_of_two_halves_is_that_of_drawn_halves() -> None:
    generator = random.Random(0)
    images = [index < 8_900 for index in range(10_000)]  # 89 % are right

    def half() -> float:
        return sum(generator.sample(images, 5_000)) / 5_000

    # The model itself is fixed, so only the halves differ; as both come from one finite test set,
    # the variance of a difference of two halves is p (1 - p)/5,000 in all.
    differences = [half() - half() for _ in range(600)]
    assert stdev(differences) == pytest.approx(math.sqrt(0.89 * 0.11 / 5_000), rel=0.1)


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [(0.9038, "inside"), (0.9000, "inside"), (0.8900, "below"), (0.9200, "above")],
)
def test_the_verdict_says_where_ours_lies(accuracy: float, verdict: str) -> None:
    record = make_run(name="r2_resnet8@as_published", accuracy=accuracy)
    assert row_of(record)["verdict"] == f"{verdict} (one seed)"


def test_the_spread_of_seeds_keeps_a_far_number_inside() -> None:
    row = row_of(*seeds(0.84, 0.87))
    assert row["verdict"] == "inside (other protocol, wide)"
    assert row["deviations"][-1] == "wide: 48 points"


@pytest.mark.parametrize(
    ("model", "name", "recipe", "is_other"),
    [
        ("resnet4", "r0_resnet4", {}, True),
        ("resnet8", "r2_resnet8", {}, True),
        ("resnet18", "r3_resnet18", {}, True),
        ("fashion_cnn", "r3_fashion_cnn", {}, True),
        ("v0", "classic@clean", {}, True),
        ("v0", "classic", {"validation_fraction": 0.0}, False),  # R4 itself keeps nothing
        ("v0", "classic@as_published", {}, False),
        ("resnet8", "r2_resnet8@as_published", {}, False),
        ("resnet18", "r3_resnet18", {"validation_fraction": 0.0}, True),
        ("resnet50", "r1_resnet50", {}, False),  # there is no number to be other than
    ],
)
def test_another_protocol_than_the_published_numbers_is_said(
    model: str, name: str, recipe: dict[str, Any], is_other: bool
) -> None:
    row = row_of(make_run(model, name, recipe=recipe))
    assert ("other protocol" in row["verdict"]) == is_other


def test_of_several_seeds_nothing_is_said() -> None:
    row = row_of(*seeds(0.834, 0.835, model="v0", name="classic@as_published"))
    assert row["verdict"] == "inside"


def test_chance_is_said_with_the_seeds_that_came_out_there() -> None:
    lost = make_run("v2", "classic@as_published", 0.1, flags=("at_chance",))
    assert row_of(lost)["verdict"] == "below (one seed, at chance)"
    better = make_run("v2", "classic@as_published", 0.88, seed=1)
    assert row_of(lost, better)["deviations"] == ["wide: 100 points", "at chance: seed 0"]
    assert "at chance: no better than guessing" in footer(lost, better)
    assert "at_chance" not in footer(lost, better)


def test_where_nothing_is_reported_deviations_are_said_all_the_same() -> None:
    record = make_run(
        "resnet50", "r1_resnet50", epochs=1.0, budget="1epochs", conditions={"pretrained": False}
    )
    assert row_of(record)["verdict"] == "not reported (short, not pretrained)"


def test_letters_stand_for_the_words_in_brackets() -> None:
    assert lettered("below (short, other protocol, one seed)") == "below (SP1)"
    assert [lettered(text) for text in ("inside", "out_of_memory")] == ["inside", "out_of_memory"]
    assert len({letter for letter, _ in MARKS.values()}) == len(MARKS)


def test_a_failed_system_keeps_its_row_with_its_status() -> None:
    failed = make_run(status="diverged", reason="the loss became nan", measurements={})
    row = row_of(failed)
    numbers = (row["test_accuracy"], row["published_accuracy"])
    assert (row["verdict"], *numbers) == ("diverged", None, 0.9038)
    assert "failed: R2 ResNet-8 clean: diverged: the loss became nan.\n" in footer(failed)
    row = row_of(make_run(seed=0), make_run(seed=1, status="timeout"))
    assert (row["n_seeds"], row["n_failed"], row["remarks"]) == (1, 1, "1 of 2 failed")


@pytest.mark.parametrize(
    ("epochs", "budget", "flags", "verdict"),
    [
        (20.0, "20epochs", (), "not reported"),
        (19.96, "20epochs", (), "not reported"),  # a ragged batch was dropped
        (20.0, "1200000images", (), "not reported"),
        (19.96, "1200000images", (), "not reported"),
        (19.7, "1200000images", (), "not reported (short)"),
        (0.62, "60s", (), "not reported (short)"),
        (10.0, "10epochs", (), "not reported (short)"),
        (40.0, "40epochs", (), "not reported (long)"),
        (12.0, "60s", ("stopped_early",), "not reported"),  # its own rule ended it
    ],
)
def test_another_length_than_the_recipes_is_no_refutation(
    epochs: float, budget: str, flags: tuple[str, ...], verdict: str
) -> None:
    record = make_run("alexnet", "r0_alexnet", 0.7, epochs=epochs, budget=budget, flags=flags)
    assert row_of(record)["verdict"] == verdict


def test_a_changed_number_of_epochs_is_another_length_too() -> None:
    name = "r3_fashion_cnn+epochs=1"
    record = make_run("fashion_cnn", name, 0.8, epochs=1.0, budget="1epochs", recipe={"epochs": 1})
    assert row_of(record)["verdict"] == "below (short, changed, other protocol, one seed)"


def test_without_pretrained_weights_the_verdict_says_so() -> None:
    lost = make_run("resnet18", "r2_resnet18", 0.8, conditions={"pretrained": False})
    assert row_of(lost)["verdict"] == "below (not pretrained, other protocol, one seed)"
    found = make_run("resnet18", "r2_resnet18", 0.8, conditions={"pretrained": True})
    assert row_of(found)["verdict"] == "below (other protocol, one seed)"


def test_overrides_and_precision_are_changes() -> None:
    changed = make_run(name="r2_resnet8+batch_size=8+momentum=0.5", accuracy=0.8)
    assert row_of(changed)["deviations"][0] == "changed: +batch_size=8 +momentum=0.5"
    clean = make_run(accuracy=0.8)
    half = replace(clean, spec=clean.spec | {"precision": "bf16"})
    assert row_of(half)["deviations"] == ["other protocol", "one seed"]
    published = make_run(name="r2_resnet8@as_published", accuracy=0.8)
    half = replace(published, spec=published.spec | {"precision": "bf16"})
    assert row_of(half)["verdict"] == "below (changed, one seed)"


@pytest.mark.parametrize(
    ("dead", "remark"),
    [
        ((), ""),
        ((3,), "Dress never predicted"),
        ((1, 6), "Trouser and Shirt never predicted"),
        (range(1, 6), "5 of 10 classes never predicted"),
    ],
)
def test_a_class_that_is_never_predicted_is_a_remark(dead: tuple[int, ...], remark: str) -> None:
    record = make_run("v1", "classic", 0.75, confusion=confusion_without(*dead))
    assert row_of(record)["remarks"] == remark
    assert (f"R4 V1 clean: {remark}.\n" in footer(record)) == bool(dead)


def test_with_several_seeds_it_says_whose() -> None:
    dead = {0: (3,), 1: (5,), 2: (3,), 3: ()}
    records = [
        make_run("v1", "classic", 0.75, seed=seed, confusion=confusion_without(*classes))
        for seed, classes in dead.items()
    ]
    assert row_of(*records)["remarks"] == "Dress (seed 0, 2); Sandal (seed 1) never predicted"
