"""What may stand side by side, and the Pareto front."""

import time
from operator import le
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results import NotComparable, RunRecord, check_comparable, summarize, table_rows
from results.rows.comparable import labels, pareto_cost, pareto_front, pareto_sentence, unbeaten
from tests.results.records_by_hand import ENVIRONMENT, make_record, make_sweep, make_values

SMALL = st.integers(0, 6).map(float)  # small, so that ties are common


def row(accuracy: float | None, seconds: float | None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "model": "v0",
        "status": "ok",
        "flags": [],
        "budget": "3epochs",
        "test_accuracy": accuracy,
        "train_time_s": seconds,
        "peak_memory_bytes": 1,
        "num_params": 1,
    } | fields


def test_seeds_models_recipes_and_plans_may_differ() -> None:
    check_comparable([])
    changes = {"recipe": {"name": "adam"}, "plan": "eager", "precision": "fp32"}
    check_comparable([make_record("v0"), make_record("v1", 3, spec=changes)])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("budget", "60s", "budget is 3epochs for v0 but 60s for v1"),
        ("evaluation_split", "validation", "evaluation_split is test for v0 but validation"),
        ("data_hash", "0000", "data_hash is 5f2c0e9a7d3b1846 for v0 but 0000 for v1"),
        ("device", "CPU", "device is NVIDIA H200 for v0 but CPU for v1"),
        ("num_threads", 2, "num_threads is None for v0 but 2 for v1"),
    ],
)
def test_anything_else_is_refused_in_one_line(field: str, value: object, message: str) -> None:
    changed: dict[str, Any] = {"environment": ENVIRONMENT | {field: value}}
    if field in {"budget", "evaluation_split"}:
        changed = {"spec": {field: value}}
    other = make_record("v1", **changed)
    with pytest.raises(NotComparable) as caught:
        check_comparable([make_record("v0"), make_record("v0", 1), other])
    assert message in str(caught.value)
    assert "--mixed" in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.lists(st.tuples(SMALL, SMALL, SMALL), max_size=12))
def test_a_point_is_unbeaten_exactly_if_none_is_as_small_everywhere(
    points: list[tuple[float, ...]],
) -> None:
    front = unbeaten(points)
    for point in points:
        beaten = [p for p in points if p != point and all(map(le, p, point))]
        assert (point in front) is (not beaten)


@given(st.lists(st.tuples(SMALL, SMALL, st.sampled_from(["", "at_chance", "failed"]))))
def test_the_sweep_agrees_with_the_definition(points: list[tuple[float, float, str]]) -> None:
    rows = [
        row(gain, cost, flags=[kind], status="crashed" if kind == "failed" else "ok")
        for gain, cost, kind in points
    ]
    rivals = [(gain, cost) for gain, cost, kind in points if not kind]
    for (gain, cost, kind), mark in zip(points, pareto_front(rows), strict=True):
        others = [other for other in rivals if other != (gain, cost)]
        beaten = any(other[0] >= gain and other[1] <= cost for other in others)
        wanted = {"failed": None, "at_chance": False, "": not beaten}
        assert mark is wanted[kind]


def test_failed_and_unknown_rows_are_neither_and_other_costs_may_be_asked_for() -> None:
    rows = [row(0.9, 1, status="diverged"), row(None, 1), row(0.9, None), row(0.8, 2)]
    assert pareto_front(rows) == [None, None, None, True]
    rows = [row(0.9, 1, num_params=50), row(0.8, 2, num_params=20)]
    assert pareto_front(rows) == [True, False]
    assert pareto_front(rows, cost="num_params") == [True, True]


def test_namesakes_without_a_target_say_so() -> None:
    rows = [row(0.9, 1.0, target=target) for target in (0.9, 0.885, None)]
    assert labels(rows) == ["v0 (to 90 %)", "v0 (to 88.5 %)", "v0 (no target)"]


@pytest.mark.slow
def test_30000_rows_have_a_front_and_labels_in_no_time() -> None:
    # All on the front and half of them namesakes: a quadratic way takes minutes.
    rows = [row(n / 30_000, n, model=f"v{n // 2}", plan=f"p{n}") for n in range(30_000)]
    started = time.process_time()
    assert all(pareto_front(rows))
    assert len(set(labels(rows))) == len(rows)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("budget", "memory", "cost"),
    [
        ("3epochs", 5, "train_time_s"),
        ("5000steps", 5, "train_time_s"),
        ("2e15flops", 5, "train_time_s"),
        ("60s", 5, "peak_memory_bytes"),
        ("1.5e2s", 5, "peak_memory_bytes"),
        ("60s", None, "num_params"),
    ],
)
def test_the_cost_is_what_the_budget_leaves_open(
    budget: str, memory: int | None, cost: str
) -> None:
    fields = {"budget": budget, "peak_memory_bytes": memory}
    assert pareto_cost([row(0.9, 1, **fields)]) == cost


def sentence_of(*records: RunRecord) -> str | None:
    return pareto_sentence(table_rows(summarize(records)))


def test_the_sentence_names_the_front_and_its_rule() -> None:
    assert sentence_of(*make_sweep()) == (
        "Pareto-best (no other is both more accurate and faster to train): "
        "resnet8, fashion_cnn, v0."
    )
    plans = [
        make_record(values=make_values(accuracy, seconds, 7_850, 20), spec={"plan": plan})
        for plan, accuracy, seconds in (("eager", 0.85, 9), ("graph", 0.84, 2))
    ]
    assert str(sentence_of(*plans)).endswith(": v0 (eager), v0 (graph).")


def test_under_a_seconds_budget_the_sentence_says_so() -> None:
    records = [
        make_record(model, values=make_values(accuracy, 60, 9, memory), spec={"budget": "60s"})
        for model, accuracy, memory in (("v0", 0.84, 20), ("v2", 0.91, 30), ("v1", 0.81, 25))
    ]
    assert sentence_of(*records) == (
        "Pareto-best (all trained for the same 60s; no other is both more accurate and lighter in "
        "peak memory): v2, v0."
    )


def test_rows_that_are_not_comparable_have_no_front() -> None:
    values = make_values(0.84, 60, 7_850, 20)
    records = [make_record(values=values), make_record("v2", values=values, spec={"budget": "60s"})]
    assert {row["on_pareto_front"] for row in table_rows(summarize(records))} == {None}
    assert sentence_of(*records) is None
