"""The charts of classes: their values are those of the records."""

import pytest

from results.classes import CLASS_NAMES, precision_recall_f1, sum_confusions
from results.report.charts.class_charts import (
    METRICS,
    STRONGEST,
    class_figures,
    confusion_figures,
)
from results.report.charts.theme import DARK, LIGHT
from results.report.material import Material
from tests.results.records_by_hand import make_record
from tests.results.report.charts_by_hand import (
    check_figures,
    make_material,
    row_of,
    rows_of,
    svg_of,
)
from tests.results.report.report_by_hand import AWKWARD


def test_the_bars_are_the_qualities_of_all_seeds_together(material: Material) -> None:
    figures = class_figures(material)
    keys = ["classes-f1", "classes-recall", "classes-precision"]
    assert [figure.key for figure in figures] == keys
    for figure, metric in zip(figures, METRICS, strict=True):
        names = [row["series"] for row in rows_of(figure)]
        assert names == ["resnet8", "fashion_cnn", "v0", "v1", AWKWARD]
        for series in material.finished:
            total = sum_confusions([r.confusion for r in series.summary.finished if r.confusion])
            assert total is not None
            row, qualities = row_of(figure, series.label), precision_recall_f1(total)
            expected = [getattr(quality, metric.key) for quality in qualities]
            for value, share, text in zip(row["value"], expected, row[metric.key], strict=True):
                assert value == (None if share is None else pytest.approx(100 * share, abs=1e-3))
                assert text == ("never predicted" if share is None else f"{100 * share:.1f}")
            assert row["support"] == [quality.support for quality in qualities]
            assert row["class"] == list(CLASS_NAMES)


def test_a_model_at_chance_says_which_classes_it_never_predicts(material: Material) -> None:
    texts = row_of(class_figures(material)[0], "v1")
    assert texts["f1"].count("never predicted") == 9
    assert texts["recall"].count("0.0") == 9  # known: none was recognised
    assert texts["recall"][CLASS_NAMES.index("Shirt")] == "100.0"


def test_the_heatmap_holds_the_counts_and_their_mean(material: Material) -> None:
    (figure,) = confusion_figures(material)
    notes = {p["name"]: p["value"] for p in figure.specifications["wide"]["params"]}["notes"]
    for series in material.finished:
        matrices = [record.confusion for record in series.summary.finished if record.confusion]
        total = sum_confusions(matrices)
        assert total is not None
        row = row_of(figure, series.label)
        assert row["count"] == [count for line in total for count in line]
        for text, count, share, tip in zip(
            row["text"], row["count"], row["share"], row["tip"], strict=True
        ):
            mean = count / len(matrices)
            assert text == ("<1" if 0 < mean < 1 else f"{mean:.0f}")
            assert share == pytest.approx(count / 1000 / len(matrices), abs=1e-4)
            assert tip.startswith(f"{count:,} of {1000 * len(matrices):,} (")
    assert notes["v0"] == "mean of 2 runs, 10,000 images each"
    assert notes["v1"] == "1 run, 10,000 images each"


def test_every_figure_compiles_in_both_layouts_and_holds_plain_numbers(material: Material) -> None:
    check_figures([*class_figures(material), *confusion_figures(material)])


def test_text_is_legible_on_the_strongest_cell_in_light_and_dark() -> None:
    for theme in (LIGHT, DARK):
        page, accent, text = (_rgb(theme[name]) for name in ("--page", "--accent", "--text"))
        cell = [STRONGEST * a + (1 - STRONGEST) * p for a, p in zip(accent, page, strict=True)]
        dark, light = sorted((_luminance(cell), _luminance(text)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_only_what_is_shown_takes_room_in_the_legend(material: Material) -> None:
    svg = svg_of(class_figures(material)[0], shown=["fashion_cnn", "v0"])
    assert "fashion_cnn</text>" in svg
    assert "resnet8</text>" not in svg


@pytest.mark.parametrize("confusion", [None, [[1, 2], [3, 4]]])
def test_without_a_whole_confusion_matrix_there_is_no_chart_or_the_series_is_named(
    confusion: list[list[int]] | None,
) -> None:
    lacking = make_record("v0", confusion=confusion)
    failed = make_record("alexnet", status="diverged", reason="the loss is not finite")
    alone = make_material([lacking, failed])
    assert [*class_figures(alone), *confusion_figures(alone)] == []
    first, *_ = class_figures(
        make_material([make_record("v2", confusion=[[1] * 10] * 10), lacking])
    )
    assert "Not drawn (no confusion matrix): v0." in first.caption
    assert [row["series"] for row in rows_of(first)] == ["v2"]


def _rgb(colour: str) -> list[float]:
    return [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]


def _luminance(rgb: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
