"""The gap between training and test accuracy."""

import pytest

from results import RunRecord
from results.report.charts.gap import gap_figures
from results.report.charts.vega import ReportFigure
from results.report.material import Material
from tests.results.records_by_hand import make_record, make_sweep, make_values, with_measured
from tests.results.report.charts_by_hand import axis_titles, check_figures, make_material, values_of


def trained(model: str, train: float, test: float, seed: int = 0) -> RunRecord:
    run = make_record(model, seed, values=make_values(test, 1.0, 1, 2**20))
    return with_measured(run, "train_accuracy", "fraction", train)


def figure_of(*runs: RunRecord) -> ReportFigure:
    (figure,) = gap_figures(make_material(runs))
    return figure


def test_the_gap_is_train_less_test_in_points_least_first() -> None:
    figure = figure_of(
        trained("wide", 0.98, 0.9, 0),  # seeds are averaged
        trained("wide", 1.0, 0.9, 1),
        trained("none", 0.85, 0.86),
        trained("some", 0.93, 0.91),
    )
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


def test_a_gap_below_the_digits_is_zero_and_has_no_minus() -> None:
    assert values_of(figure_of(trained("v0", 0.9, 0.9001)), "text") == {"v0": "0.0 points"}


def test_models_without_it_or_at_chance_are_named(sweep: Material) -> None:
    assert gap_figures(sweep) == []
    runs = [
        with_measured(run, "train_accuracy", "fraction", 0.5)
        if run.spec["model"] in {"v1", "resnet8"}
        else run
        for run in make_sweep()
        if run.status == "ok"
    ]
    figure = figure_of(*runs)
    assert set(values_of(figure, "train")) == {"resnet8"}
    assert "Not drawn (at chance, or unknown): fashion_cnn, v0, v1, resnet50." in figure.caption
