"""The tables of the report: what a cell is sorted by, and facts of whatever records hold."""

from pathlib import Path

import pytest

from results.report.material import MAX_NAMES, gather
from results.report.tables import comparison_table, facts
from tests.results.records_by_hand import make_record, make_values, with_measured
from tests.results.report.charts_by_hand import make_material


def keys_of(material_folder: Path, heading: str) -> list[object]:
    table = comparison_table(gather([material_folder], mixed=True).series)
    place = [name for name, _, _ in table.headers].index(heading)
    return [cells[place].key for _, cells in table.rows]


def test_the_time_to_a_target_is_sorted_by_its_seconds(tmp_path: Path) -> None:
    found = [
        make_record(name, values=make_values(0.9, 9, 1, 1), spec={"target": 0.8}) for name in "ab"
    ]
    runs = [
        with_measured(run, "time_to_target", "s", s)
        for run, s in zip(found, (24.0, 3.0), strict=True)
    ]
    material = make_material(runs, tmp_path)
    assert set(keys_of(material.folders[0], "to 80 %")) == {3.0, 24.0}


def test_what_is_unknown_and_what_failed_comes_last_in_every_column(tmp_path: Path) -> None:
    runs = [make_record("a", values=make_values(0.9, 9, 1, 1)), make_record("b", status="crashed")]
    material = make_material(runs, tmp_path)
    for _, cells in comparison_table(material.series).rows[1:]:
        assert [cell.key for cell in cells[1:]] == [None] * (len(cells) - 1)
    assert keys_of(material.folders[0], "remarks")[0] is None


@pytest.mark.parametrize("odd", [["a", "b"], {"a": 1}])
def test_facts_may_be_any_json(tmp_path: Path, odd: object) -> None:
    run = make_record(
        "a",
        values=make_values(0.9, 9, 1, 1),
    )
    run.environment["tags"] = odd
    assert dict(facts(make_material([run, make_record("b")], tmp_path)))["tags"] == str(odd)


def test_a_remark_of_many_runs_stays_short(tmp_path: Path) -> None:
    runs = [make_record(f"m{k}", values=make_values(0.9, 9, 1, 1)) for k in range(MAX_NAMES + 3)]
    (remark,) = make_material(runs, tmp_path).remarks
    assert "and 3 more" in remark
