"""Runs that ended at a target: their rows, their column, what stands below the table."""

from typing import Any

import pytest

from results import NotComparable, RunRecord, check_comparable, summarize, table_rows
from results.render.footer import footer_lines
from results.render.formats import export
from results.rows.comparable import pareto_sentence
from tests.results.records_by_hand import make_curve, make_record, make_values, with_measured
from tests.results.render.test_table import drawn, footer

INFINITE = "∞: that accuracy was never reached on validation within this budget."


def ended(
    model: str,
    seconds: float | None,
    seed: int = 0,
    target: float | None = 0.9,
    **fields: Any,  # noqa: ANN401
) -> RunRecord:
    """A run that reached its target after some seconds, or that missed it."""
    whole = make_record(
        model,
        seed,
        values=make_values(0.9, seconds or 60.0, 7_850, 2**20),
        spec={"budget": "60s"} | ({} if target is None else {"target": target}),
        flags=() if seconds is None else ("reached_target",),
        missing={} if seconds else {"time_to_target": "never reached 0.90 on validation"},
        curve=make_curve(seconds or 60.0, [0.5, (target or 0.9) - 0.01 * (seconds is None)]),
        **fields,
    )
    return whole if seconds is None else with_measured(whole, "time_to_target", "s", seconds)


def told(*records: RunRecord) -> tuple[float | None, ...]:
    (row,) = table_rows(summarize(records))
    return row["target"], row["target_time_s"], row["n_target_missed"]


@pytest.mark.parametrize(
    ("seconds", "median", "missed"),
    [
        ([4.0], 4.0, 0),
        ([None], None, 1),
        ([4.0, 2.0, 3.0], 3.0, 0),
        ([4.0, 2.0, None], 4.0, 1),
        ([4.0, None], None, 1),  # half-way to infinity
        ([None, 4.0, None], None, 2),
    ],
)
def test_the_seconds_are_a_median_to_which_a_miss_is_infinite(
    seconds: list[float | None], median: float | None, missed: int
) -> None:
    records = [ended("v0", taken, seed) for seed, taken in enumerate(seconds)]
    assert told(*records) == (0.9, median, missed)


def test_without_a_target_its_keys_are_null_and_a_run_that_failed_is_no_miss() -> None:
    assert told(ended("v0", None, target=None)) == (None, None, None)
    assert told(ended("v0", None, status="crashed", reason="signal 9")) == (0.9, None, 0)


def test_its_column_stands_after_accuracy_and_a_miss_is_infinite() -> None:
    records = [ended("v0", 4.0), ended("v1", None), ended("v2", 3.0)]
    header, _, *rows = drawn(records, 120).splitlines()
    assert header.split()[:6] == ["model", "accuracy", "%", "to", "90", "%"]
    assert header.count("to 90 %") == 1  # not the fixed one again
    cells = {row.split()[0]: row.split()[2:4] for row in rows}
    assert (cells["v0"], cells["v2"], cells["v1"][0]) == (["4.00", "s"], ["3.00", "s*"], "∞")
    assert "reached_target" not in "".join(rows)
    missed = drawn([ended("v0", None), ended("v1", None)], 120)  # by all: the column stays
    assert "to 90 %" in missed
    assert missed.count("∞") == 2


def test_some_seeds_that_missed_are_a_remark() -> None:
    table = drawn([ended("v0", taken, seed) for seed, taken in enumerate((4.0, 2.0, None))], 200)
    assert "4.00 s" in table
    assert "1 of 3 missed the target" in table


def test_a_lower_target_says_nothing_of_ninety_percent() -> None:
    low = drawn([ended("v0", 4.0, target=0.85), ended("v1", None, target=0.85)], 200)
    high = drawn([ended("v0", 4.0, target=0.925)], 200)
    headings = ("to 85 %", "to 90 %", "to 92.5 %")
    assert [heading in low for heading in headings] == [True, False, False]
    assert [heading in high for heading in headings] == [False, True, True]


def test_the_footer_says_where_runs_ended_and_what_infinite_means() -> None:
    text = footer([ended("v0", 4.0), ended("v1", None)])
    assert "\neach run ended at 90 % on validation or with the budget.\n" in text
    assert f"\n{INFINITE}\n" in text
    assert "time_to_target" not in text
    assert "reached_target" not in text
    assert INFINITE not in footer([ended("v0", 4.0)])
    assert "ended at" not in footer([ended("v0", None, target=None)])


def test_a_fixed_column_of_misses_alone_needs_no_explanation() -> None:
    missed, hit = (
        make_record(model, values=make_values(0.8, 1, 9, 9), curve=make_curve(1.0, [0.5, best]))
        for model, best in (("v0", 0.8), ("v1", 0.91))
    )
    assert INFINITE not in footer([missed])
    assert INFINITE in footer([missed, hit])


def test_latex_has_its_own_infinity() -> None:
    text = export(table_rows(summarize([ended("v0", None), ended("v1", 2.0)])), "latex")
    assert r"$\infty$" in text
    assert "∞" not in text


def test_only_runs_of_one_target_are_compared_and_all_the_same_they_are_labelled() -> None:
    check_comparable([ended("v0", 4.0), ended("v1", None)])
    for other in (ended("v1", 4.0, target=0.85), ended("v1", None, target=None)):
        with pytest.raises(NotComparable, match=r"target is 0\.9 for v0 but"):
            check_comparable([ended("v0", 4.0), other])
    records = [ended("v0", 4.0), ended("v0", 3.0, target=0.85), ended("v0", None, target=None)]
    header, _, *rows = drawn(records, 120).splitlines()
    assert header.split()[:2] == ["model", "target"]
    assert "to target" in header
    assert sorted(row.split()[1] for row in rows) == ["-", "0.85", "0.9"]
    line = "each run with a target ended at 90 % / 85 % on validation or with the budget."
    assert line in footer_lines(summarize(records))


def test_a_seconds_budget_holds_no_time_equal_where_a_target_ends_it() -> None:
    records = [ended("v0", 4.0), ended("v1", 3.0)]
    sentence = pareto_sentence(table_rows(summarize(records)))
    assert sentence == "Pareto-best (no other is both more accurate and faster to train): v1."
    assert "3.00 s*" in drawn(records, 120)
