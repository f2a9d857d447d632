"""The roofline and the share of the floor agree with what the runs measured."""

import pytest

from results import RunRecord
from results.report.charts.limit import (
    Roofs,
    achieved,
    limit_figures,
    roof_rows,
    roof_words,
    roofs_of,
)
from results.report.material import Material, gather
from tests.results.records_by_hand import LIMIT, make_record, make_values
from tests.results.report.charts_by_hand import (
    TABLES,
    axis_titles,
    check_figures,
    make_material,
    values_of,
)


def limited(model: str, percent: float, bytes_per_s: float = 4e12) -> RunRecord:
    values = make_values(0.9, 2.0, 1000, 2**20)
    values |= {"flops_per_step": 23e3 * 128, "bytes_per_step": 1e6}
    values |= {"percent_of_floor": percent, "floor": 1e-5}
    conditions = {"limit": LIMIT | {"bytes_per_s": bytes_per_s}}
    return make_record(model, values=values, conditions=conditions)


def test_points_are_the_counted_flops_over_bytes_and_over_time() -> None:
    roofline, _ = limit_figures(make_material([limited("v0", 30.0)]))
    assert values_of(roofline, "intensity") == pytest.approx({"v0": 23e3 * 128 / 1e6})
    assert values_of(roofline, "rate") == pytest.approx({"v0": 23e3 * 162_000 / 2.0})
    assert values_of(roofline, "intensity_text") == {"v0": "2.94 FLOPs a byte"}
    assert values_of(roofline, "rate_text") == {"v0": "1.86 GFLOP/s"}
    assert axis_titles(roofline) == {
        "arithmetic intensity (FLOPs a byte), log scale",
        "computing rate (FLOP/s), log scale",
    }


def test_the_rate_agrees_with_the_share_of_the_peak_that_the_records_hold() -> None:
    material = gather([TABLES / "cpu-default-30s.jsonl"])
    for series in material.finished:
        (record,) = series.summary.finished
        peak = record.conditions["limit"]["flops_per_s"]
        assert (achieved(series) or 0) / peak == pytest.approx(series.row["mfu"], rel=0.01)
    check_figures(limit_figures(material))


ROOFS = Roofs((788e12, 788e12), (1e12, 4e12))


def test_the_roof_is_the_lower_of_what_bytes_and_flops_allow() -> None:
    assert roofs_of(make_material([limited("a", 30.0, 1e12), limited("b", 30.0, 4e12)])) == ROOFS
    assert ROOFS.knees() == [788, 197]
    assert (ROOFS.at(10, 0), ROOFS.at(10, 1)) == (1e13, 4e13)
    assert ROOFS.at(1e4, 0) == ROOFS.at(1e4, 1) == 788e12


@pytest.mark.parametrize(
    ("intensities", "corners", "words"),
    [
        ([1, 2], [1 / 1.5, 3], ["slope: copy, 1.00 T to 4.00 TB/s"]),
        ([1, 10], [1 / 1.5, 15], ["slope: copy, 1.00 T to 4.00 TB/s"]),
        (
            [100],
            [100 / 1.5, 197, 788, 788 * 1.5],
            ["slope: copy, 1.00 T to 4.00 TB/s", "flat: matmul, 788 TFLOP/s"],
        ),
        ([1e4, 1e5], [1e4 / 1.5, 1.5e5], ["flat: matmul, 788 TFLOP/s"]),
    ],
)
def test_the_roof_reaches_past_the_points_and_near_knees_and_is_named_as_far_as_in_sight(
    intensities: list[float], corners: list[float], words: list[str]
) -> None:
    roof = roof_rows(ROOFS, intensities)
    assert [row["intensity"] for row in roof] == pytest.approx(corners)
    for row in roof:
        assert (row["low"], row["high"]) == tuple(ROOFS.at(row["intensity"], end) for end in (0, 1))
    assert roof_words(ROOFS, roof) == words


def test_the_share_of_the_floor_names_what_binds_nearest_first() -> None:
    runs = [limited("near", 97.6), limited("far", 4.25), limited("beyond", 193.0)]
    figures = limit_figures(make_material(runs))
    texts = {"beyond": "193 %", "near": "98 %", "far": "4.2 %"}
    assert list(values_of(figures[1], "text").items()) == list(texts.items())
    assert values_of(figures[1], "note") == dict.fromkeys(texts, "compute binds")
    assert values_of(figures[1], "value") == {"beyond": 193.0, "near": 97.6, "far": 4.25}
    assert "Above it" in figures[1].caption
    check_figures(figures)


def test_without_a_matmul_rate_the_share_of_the_floor_is_left(sweep: Material) -> None:
    assert limit_figures(sweep) == []  # without limits nothing
    run = limited("v0", 30.0)
    run.conditions["limit"] = LIMIT | {"flops_per_s": None, "binds": "memory"}
    figures = limit_figures(make_material([run]))
    assert [figure.key for figure in figures] == ["limit-floor"]
    assert values_of(figures[0], "text") == {"v0": "30 %"}
    assert values_of(figures[0], "note") == {"v0": "memory binds"}
