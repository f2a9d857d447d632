"""The gap between training and test accuracy."""

from pathlib import Path

import pytest

from results import RunRecord
from results.report.charts.gap import gap_figures
from tests.results.records_by_hand import make_record, make_sweep, make_values, with_measured
from tests.results.report.charts_by_hand import axis_titles, check_figures, make_material, values_of


def trained(model: str, train: float, test: float, seed: int = 0) -> RunRecord:
    run = make_record(model, seed, values=make_values(test, 1.0, 1, 2**20))
    return with_measured(run, "train_accuracy", "fraction", train)


def test_the_gap_is_train_less_test_in_points_least_first(tmp_path: Path) -> None:
    runs = [trained("wide", 0.99, 0.9), trained("none", 0.85, 0.86), trained("some", 0.93, 0.91)]
    (figure,) = gap_figures(make_material(runs, tmp_path))
    assert list(values_of(figure, "text").items()) == [
        ("none", "\N{MINUS SIGN}1.0 points"),
        ("some", "+2.0 points"),
        ("wide", "+9.0 points"),
    ]
    assert values_of(figure, "train") == pytest.approx({"none": 85, "some": 93, "wide": 99})
    assert values_of(figure, "test") == pytest.approx({"none": 86, "some": 91, "wide": 90})
    assert values_of(figure, "train_text")["wide"] == "99.00 %"
    assert axis_titles(figure) == {"accuracy (%): ● test images, ○ training images"}
    check_figures([figure])


def test_seeds_are_averaged(tmp_path: Path) -> None:
    runs = [trained("v0", 0.95, 0.9, 0), trained("v0", 0.97, 0.9, 1)]
    (figure,) = gap_figures(make_material(runs, tmp_path))
    assert values_of(figure, "train") == pytest.approx({"v0": 96})


def test_a_gap_below_the_digits_is_zero_and_has_no_minus(tmp_path: Path) -> None:
    (figure,) = gap_figures(make_material([trained("v0", 0.9, 0.9001)], tmp_path))
    assert values_of(figure, "text") == {"v0": "0.0 points"}


def test_models_without_it_or_at_chance_are_named(tmp_path: Path) -> None:
    sweep = make_sweep()
    runs = [
        with_measured(run, "train_accuracy", "fraction", 0.5)
        if run.spec["model"] in {"v1", "resnet8"} and run.status == "ok"
        else run
        for run in sweep
    ]
    (figure,) = gap_figures(make_material(runs, tmp_path))
    assert set(values_of(figure, "train")) == {"resnet8"}
    assert "Not drawn (at chance, or unknown): fashion_cnn, v0, v1, resnet50." in figure.caption


def test_records_without_training_accuracy_have_no_figure(tmp_path: Path) -> None:
    assert gap_figures(make_material(make_sweep(), tmp_path)) == []
