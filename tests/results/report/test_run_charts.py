"""The charts of one run: values of the samples, thinned, and nothing where they are not known."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.classes import CLASS_NAMES
from results.report.charts.class_charts import class_figures, confusion_figures
from results.report.charts.run_charts import (
    MAX_POINTS,
    MAX_STEPS,
    SMOOTH_BINS,
    STEP_BINS,
    binned,
    rounded,
    run_figures,
)
from results.report.charts.vega import ReportFigure, marked
from results.report.compose import sections
from results.report.material import FORMS, Material, gather
from results.report.pictures import mistake_pictures, sample_strips
from tests.results.report.charts_by_hand import check_figures, row_of, rows_of, svg_of
from tests.results.report.report_by_hand import (
    AWKWARD,
    EPOCHS,
    STEPS,
    finished,
    make_report_records,
    write_store,
)


def figures_of(material: Material) -> dict[str, ReportFigure]:
    return {figure.key: figure for figure in run_figures(material)}


def notes_of(figure: ReportFigure) -> dict[str, str]:
    """What stands over the chart, by series."""
    parameters = {p["name"]: p["value"] for p in figure.specifications["wide"]["params"]}
    notes: dict[str, str] = parameters["notes"]
    return notes


def changed(material: Material, **arrays: Any) -> Material:  # noqa: ANN401 - arrays or None
    """The material with other samples; None takes an array away."""
    series = [
        replace(one, samples={k: v for k, v in {**one.samples, **arrays}.items() if v is not None})
        for one in material.series
    ]
    return replace(material, series=tuple(series))


def test_of_many_rows_the_first_are_shown_one_at_a_time(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is too large for a browser, or one that does not say what it leaves out."""
    monkeypatch.setattr("results.report.compose.MAX_CHOICES", 2)
    found = {part.key: part for part in sections(material)}
    best = [one.label for one in material.series if one.is_ok]
    for part in (found["mistakes"], found["run"]):
        assert set(part.names) == set(best[:2])
        assert part.picked == (best[0],)
        assert {row["series"] for figure in part.figures for row in rows_of(figure)} == {*best[:2]}
        assert part.lead.endswith("Of the first 2 rows of the table.")
    assert {name for name, _ in found["mistakes"].pictures} == set(best[:2])
    assert set(found["cost"].names) == set(best)


def test_training_shows_the_smoothed_loss_and_the_curve(material: Material) -> None:
    figure = figures_of(material)["run-training"]
    for series in material.finished:
        row, losses = row_of(figure, series.label), series.samples["loss"].astype(float)
        assert len(row["loss"]) == SMOOTH_BINS
        assert row["loss"][0] == pytest.approx(losses[:8].mean(), rel=1e-3)
        middles = binned(losses, SMOOTH_BINS).middle
        assert row["epoch"] == pytest.approx(np.array(middles) / STEPS * EPOCHS, rel=1e-4)
        curve = series.samples["curve"]
        assert row["accuracy"] == pytest.approx(curve[:, 3] * 100, rel=1e-4)
        assert row["at"] == pytest.approx(curve[:, 1] * EPOCHS, rel=1e-4)
        best = int(curve[:, 3].argmax())
        assert row["best_at"] == [pytest.approx(row["at"][best], rel=1e-4)]
        note = notes_of(figure)[series.label]
        assert note.startswith(f"best: {curve[best, 3] * 100:.2f} % at epoch ")
        assert f">{note}</text>" in svg_of(figure, chosen=series.label)


def test_without_a_curve_among_the_samples_the_record_has_one(material: Material) -> None:
    few = figures_of(changed(material, curve=None))["run-training"]
    assert row_of(few, "v0") == row_of(figures_of(material)["run-training"], "v0")


def test_a_long_run_is_a_band_and_a_short_one_every_step(material: Material) -> None:
    figure = figures_of(material)["run-loss"]
    for series in material.finished:
        row, losses = row_of(figure, series.label), series.samples["loss"].astype(float)
        assert len(row["step"]) == STEP_BINS
        assert min(row["low"]) == pytest.approx(losses.min(), rel=1e-3)
        assert max(row["high"]) == pytest.approx(losses.max(), rel=1e-3)
        assert notes_of(figure)[series.label] == f"{STEPS:,} iterations"
    short = np.linspace(2.3, 0.4, MAX_STEPS, dtype=np.float32)
    row = row_of(figures_of(changed(material, loss=short))["run-loss"], "v0")
    assert row["low"] == row["mean"] == row["high"] == pytest.approx(short, rel=1e-3)
    assert row["step"] == list(range(1, MAX_STEPS + 1))


def test_a_loss_of_zero_stays_on_a_logarithmic_axis(material: Material) -> None:
    touching = changed(material, loss=np.array([1.0, 0.0, 0.5], dtype=np.float32))
    assert row_of(figures_of(touching)["run-loss"], "v0")["low"] == [1.0, 0.5, 0.5]
    zero = changed(material, loss=np.zeros(3, dtype=np.float32))
    assert list(figures_of(zero)) == ["run-training", "run-features"]


def test_the_plane_shows_the_features_with_their_classes(material: Material) -> None:
    figure = figures_of(material)["run-features"]
    for series in material.finished:
        row = row_of(figure, series.label)
        points, labels = series.samples["features_2d"], series.samples["features_labels"]
        drawn = np.linspace(0, len(points) - 1, MAX_POINTS).round().astype(int)
        medians = [np.median(points[labels == k], axis=0) for k in range(10)]
        expected = np.concatenate([points[drawn], medians])
        assert row["x"] == pytest.approx(expected[:, 0], rel=6e-3)
        assert row["y"] == pytest.approx(expected[:, 1], rel=6e-3)
        assert row["label"] == [*labels[drawn], *range(10)]
        assert row["is_median"] == [False] * MAX_POINTS + [True] * 10
        assert notes_of(figure)[series.label] == "of the variance: 41.2 % across, 18.7 % up"


def test_ten_classes_have_ten_pairs_of_colour_and_shape() -> None:
    channels = marked("class", CLASS_NAMES)
    colours, shapes = (channels[name]["scale"]["range"] for name in ("color", "shape"))
    assert len(set(zip(colours, shapes, strict=True))) == len(CLASS_NAMES)


def test_features_all_at_one_spot_can_be_drawn(material: Material) -> None:
    flat = {"features_2d": np.zeros((3, 2)), "features_share": np.zeros(2)}
    labels = np.array([4, 4, 9], dtype=np.uint8)
    figure = figures_of(changed(material, **flat, features_labels=labels))["run-features"]
    assert row_of(figure, "v0")["x"] == [0, 0, 0, 0, 0]
    assert "true class: Coat" in svg_of(figure)


def test_every_figure_compiles_in_both_layouts_and_holds_plain_numbers(material: Material) -> None:
    check_figures(run_figures(material))


@pytest.mark.parametrize("chosen", ["nobody", AWKWARD])
def test_any_choice_can_be_drawn(material: Material, chosen: str) -> None:
    few = replace(material, series=tuple(s for s in material.series if s.label == AWKWARD))
    for figure in run_figures(few):
        svg = svg_of(figure, "narrow", chosen=chosen)
        assert ("Not recorded for this run." in svg) == (chosen == "nobody")


@pytest.mark.parametrize("factor", [0.01, 30, 4000])
def test_axes_never_speak_in_powers_of_ten(material: Material, factor: float) -> None:
    features = material.finished[0].samples["features_2d"]
    loss = np.linspace(3, 0.02, 500, dtype=np.float32) * factor
    few = replace(material, series=tuple(material.finished[:1]))
    for figure in run_figures(changed(few, features_2d=features * factor, loss=loss)):
        assert not re.search(r">[^<]*\de[^a-z]?\d[^<]*</text>", svg_of(figure, "narrow"))


LOSSES = (None, np.array([1.0, np.nan]), np.array([]), np.array([np.inf]))
FEATURES: tuple[dict[str, Any], ...] = (
    *({"features_2d": None}, {"features_share": None}),
    {"features_2d": np.zeros((0, 2)), "features_labels": np.zeros(0, dtype=np.uint8)},
    {"features_labels": np.full(1000, 10, dtype=np.uint8)},
    {"features_2d": np.full((1000, 2), np.nan)},
    {"features_share": np.array([np.nan, 0.1])},
)


@pytest.mark.parametrize(
    ("arrays", "drawn"),
    [
        *(({"loss": loss}, ["run-features"]) for loss in LOSSES),
        *((features, ["run-training", "run-loss"]) for features in FEATURES),
    ],
)
def test_what_is_not_known_throughout_is_not_drawn(
    material: Material, arrays: dict[str, Any], drawn: list[str]
) -> None:
    assert list(figures_of(changed(material, **arrays))) == drawn


@pytest.mark.parametrize("name", list(FORMS))
def test_an_array_that_is_not_what_it_should_be_costs_no_more_than_its_picture(
    material: Material, name: str
) -> None:
    series = material.finished[0]
    whole = series.samples[name]
    few = replace(material, series=(series,))
    empty = whole[:, :0] if whole.ndim > 1 else whole[:0]
    filled = (np.full(whole.shape, value) for value in (np.nan, -1.5, 1j))
    odd_kinds = (np.array(3), np.array(["a", "b"]), whole[None], whole.astype(str))
    for bad in (*odd_kinds, *filled, empty):
        odd = changed(few, **{name: bad})
        for figure in run_figures(odd):
            json.dumps(figure.datasets, allow_nan=False)
        mistake_pictures(odd)
        sample_strips(odd)


def test_arrays_that_cannot_be_drawn_are_named(tmp_path: Path) -> None:
    record, samples = finished("v0", 0, 0.84, 0.2, 7850)
    write_store(tmp_path, [(record, samples | {"loss": np.array(["x"]), "mine": np.array(1)})])
    assert "cannot draw of v0: loss." in gather([tmp_path]).remarks


@pytest.mark.parametrize("has_ended_well", [False, True])
def test_where_all_failed_or_samples_are_gone_there_are_no_charts(
    tmp_path: Path, has_ended_well: bool
) -> None:
    records = [record for record, _ in make_report_records()]
    chosen = [record for record in records if (record.status == "ok") == has_ended_well]
    write_store(tmp_path, [(record, None) for record in chosen])
    poor = gather([tmp_path])
    assert poor.series
    assert [*run_figures(poor), *mistake_pictures(poor), *sample_strips(poor)] == []
    figures = [*class_figures(poor), *confusion_figures(poor)]  # which need no samples
    assert bool(figures) == has_ended_well


@given(st.lists(st.floats(0.001, 9), min_size=1, max_size=90), st.integers(1, 100))
def test_bins_hold_every_value_once(values: list[float], most: int) -> None:
    bins = binned(np.array(values), most)
    assert len(bins.mean) == min(most, len(values))
    assert min(bins.low) == min(values)
    assert max(bins.high) == max(values)
    for low, mean, high in zip(bins.low, bins.mean, bins.high, strict=True):
        assert low * (1 - 1e-12) <= mean <= high * (1 + 1e-12)
    if most == 1:
        assert bins.middle == [(1 + len(values)) / 2]


def test_rounding_keeps_significant_digits() -> None:
    assert rounded([0.00123456, 12345.6, -0.5], 3) == [0.00123, 12300.0, -0.5]
