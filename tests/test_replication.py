"""Our runs beside published numbers: intervals, verdicts and what keeps them from being a test."""

from dataclasses import replace

import pytest

from results import prediction_interval, wilson_interval
from tests.published_by_hand import confusion_without, footer, make_run, row_of


def test_the_interval_of_one_seed_is_test_sampling_on_its_own_images() -> None:
    row = row_of(make_run(accuracy=0.9, confusion=confusion_without(num_images=5_000)))
    assert row["test_accuracy_interval95"] == list(wilson_interval(0.9, 5_000))
    assert row["interval_of"] == "test_sampling"


@pytest.mark.parametrize(
    ("split", "num_images"), [("half_test", 5_000), ("swapped", 60_000), ("test", 10_000)]
)
def test_without_a_matrix_the_split_says_how_many_images(split: str, num_images: int) -> None:
    row = row_of(make_run("resnet18", "r3_resnet18@as_published", recipe={"split": split}))
    assert row["test_accuracy_interval95"] == list(wilson_interval(0.9, num_images))


def test_the_interval_of_seeds_is_that_of_a_further_run() -> None:
    row = row_of(*(make_run(accuracy=0.88 + seed / 100, seed=seed) for seed in range(3)))
    assert row["test_accuracy_interval95"] == list(prediction_interval([0.88, 0.89, 0.90]) or ())
    assert (row["interval_of"], row["n_seeds"]) == ("further_run", 3)


def test_it_is_never_narrower_than_test_sampling() -> None:
    row = row_of(*(make_run(accuracy=0.9, seed=seed) for seed in range(3)))
    assert row["test_accuracy_interval95"] == list(wilson_interval(0.9, 10_000))


def test_it_stays_within_0_and_1() -> None:
    row = row_of(make_run(accuracy=0.1, seed=0), make_run(accuracy=0.9, seed=1))
    assert row["test_accuracy_interval95"] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [(0.9038, "inside"), (0.9000, "inside"), (0.8900, "below"), (0.9200, "above")],
)
def test_the_verdict_says_where_ours_lies(accuracy: float, verdict: str) -> None:
    assert row_of(make_run(accuracy=accuracy))["verdict"] == verdict


def test_the_spread_of_seeds_keeps_a_far_number_inside() -> None:
    records = [make_run(accuracy=accuracy, seed=s) for s, accuracy in enumerate((0.84, 0.87))]
    assert row_of(*records)["verdict"] == "inside"


def test_where_nothing_is_reported_there_is_no_verdict() -> None:
    row = row_of(make_run("alexnet", "r0_alexnet"))
    assert (row["verdict"], row["published_accuracy"]) == ("not reported", None)


def test_a_failed_system_keeps_its_row_with_its_status() -> None:
    row = row_of(make_run(status="diverged", reason="the loss became nan", measurements={}))
    assert (row["verdict"], row["test_accuracy"], row["published_accuracy"]) == (
        "diverged",
        None,
        0.9038,
    )
    failed = make_run(status="diverged", reason="the loss became nan at step 3", measurements={})
    assert "failed: R2 ResNet-8 clean: diverged: the loss became nan at step 3.\n" in footer(failed)


def test_one_failure_among_seeds_is_told() -> None:
    row = row_of(make_run(seed=0), make_run(seed=1, status="timeout"))
    assert (row["n_seeds"], row["n_failed"], row["remarks"]) == (1, 1, "1 of 2 failed")


@pytest.mark.parametrize(
    ("epochs", "budget", "flags", "verdict"),
    [
        (20.0, "20epochs", (), "below"),
        (19.96, "20epochs", (), "below"),  # a ragged batch was dropped
        (20.0, "1200000images", (), "below"),
        (0.62, "60s", (), "below (short)"),
        (10.0, "10epochs", (), "below (short)"),
        (40.0, "40epochs", (), "below (long)"),
        (12.0, "60s", ("stopped_early",), "below"),  # its own rule ended it
    ],
)
def test_another_length_than_the_recipes_is_no_refutation(
    epochs: float, budget: str, flags: tuple[str, ...], verdict: str
) -> None:
    record = make_run("resnet18", "r3_resnet18", 0.7, epochs=epochs, budget=budget, flags=flags)
    assert row_of(record)["verdict"] == verdict


def test_a_changed_number_of_epochs_is_another_length_too() -> None:
    name = "r3_fashion_cnn+epochs=1"
    record = make_run("fashion_cnn", name, 0.8, epochs=1.0, budget="1epochs", recipe={"epochs": 1})
    assert row_of(record)["verdict"] == "below (short, changed)"


def test_without_pretrained_weights_the_verdict_says_so() -> None:
    lost = make_run("resnet18", "r2_resnet18", 0.8, conditions={"pretrained": False})
    assert row_of(lost)["verdict"] == "below (not pretrained)"
    found = make_run("resnet18", "r2_resnet18", 0.8, conditions={"pretrained": True})
    assert row_of(found)["verdict"] == "below"


def test_overrides_and_precision_are_changes() -> None:
    changed = make_run(name="r2_resnet8+batch_size=8+momentum=0.5", accuracy=0.8)
    assert row_of(changed)["deviations"] == ["changed: +batch_size=8 +momentum=0.5"]
    clean = make_run(accuracy=0.8)
    half = replace(clean, spec=clean.spec | {"precision": "bf16"})
    assert row_of(half)["deviations"] == []
    published = make_run(name="r2_resnet8@as_published", accuracy=0.8)
    half = replace(published, spec=published.spec | {"precision": "bf16"})
    assert row_of(half)["verdict"] == "below (changed)"


@pytest.mark.parametrize(
    ("dead", "remark"),
    [
        ((), ""),
        ((3,), "Dress never predicted"),
        ((1, 6), "Trouser and Shirt never predicted"),
        (range(1, 10), "9 of 10 classes never predicted"),
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
