"""The tables of the report: what a cell is sorted by, and facts of whatever records hold."""

import pytest

from results import RunRecord
from results.report.material import MAX_NAMES, Material
from results.report.tables import comparison_table, facts
from tests.results.records_by_hand import make_record, make_values, with_measured
from tests.results.report.charts_by_hand import make_material


def run_of(name: str, **spec: object) -> RunRecord:
    return make_record(name, values=make_values(0.9, 9, 1, 1), spec=spec)


def keys_of(material: Material, heading: str) -> list[object]:
    table = comparison_table(material.series)
    place = [name for name, _, _ in table.headers].index(heading)
    return [cells[place].key for _, cells in table.rows]


def test_the_time_to_a_target_is_sorted_by_its_seconds() -> None:
    runs = [
        with_measured(run_of(name, target=0.8), "time_to_target", "s", seconds)
        for name, seconds in (("a", 24.0), ("b", 3.0))
    ]
    assert set(keys_of(make_material(runs), "to 80 %")) == {3.0, 24.0}


def test_what_is_unknown_and_what_failed_comes_last_in_every_column() -> None:
    material = make_material([run_of("a"), make_record("b", status="crashed")])
    (_, cells), *_ = comparison_table(material.series).rows[1:]
    assert [cell.key for cell in cells[1:]] == [None] * (len(cells) - 1)
    assert keys_of(material, "remarks")[0] is None


@pytest.mark.parametrize("odd", [["a", "b"], {"a": 1}])
def test_facts_may_be_any_json(odd: object) -> None:
    run = run_of("a")
    run.environment["tags"] = odd
    assert dict(facts(make_material([run, make_record("b")])))["tags"] == str(odd)


def test_a_remark_of_many_runs_stays_short() -> None:
    (remark,) = make_material([run_of(f"m{k}") for k in range(MAX_NAMES + 3)]).remarks
    assert "and 3 more" in remark
