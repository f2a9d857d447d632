"""What was written, read back and summed up."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json

from results import (
    Measurement,
    RecordError,
    RunRecord,
    Summary,
    read_records,
    summarize,
    table_rows,
)
from results.render.footer import footer_lines
from results.rows.summary import STATIC_QUANTITIES
from results.statistics import mean
from tests.results.records_by_hand import make_record

NUMBERS = st.just(0.0) | st.floats(1e-45, 1)
QUANTITIES = ("train_time", "test_accuracy", "num_params", "compile_time")
SINGLE = st.dictionaries(st.sampled_from(QUANTITIES), st.tuples(NUMBERS))
SEVERAL = st.dictionaries(
    st.sampled_from(QUANTITIES), st.lists(NUMBERS, min_size=1, max_size=3).map(tuple)
)


@st.composite
def groups(draw: st.DrawFn) -> list[RunRecord]:
    """Runs of one configuration: seeds run again, failures, measurements that differ."""
    measured = st.one_of(SINGLE, SINGLE, SEVERAL)
    return [
        make_record(
            seed=draw(st.integers(0, 3)),
            status=draw(st.sampled_from(["ok", "ok", "ok", "crashed"])),
            conditions={"turn": turn},
            measurements={
                name: Measurement(name, "s", values) for name, values in draw(measured).items()
            },
        )
        for turn in range(draw(st.integers(1, 8)))
    ]


def through_lines(records: Sequence[RunRecord]) -> list[RunRecord]:
    return [RunRecord.from_json_line(record.to_json_line()) for record in records]


def values_one_by_one(summary: Summary, quantity: str) -> list[float]:
    """What Summary.values says, worked out record by record."""
    records = summary.records if quantity in STATIC_QUANTITIES else summary.finished
    by_seed: dict[int, list[float]] = {}
    for record in records:
        if quantity in record.measurements:
            value = record.measurements[quantity].mean()
            by_seed.setdefault(record.spec["seed"], []).append(value)
    return sorted(mean(values) for values in by_seed.values())


@settings(deadline=None)  # the first of them imports scipy
@given(groups())
def test_summaries_of_what_was_read_equal_those_worked_out_one_by_one(
    records: list[RunRecord],
) -> None:
    read = through_lines(records)
    assert read == records
    assert [record.to_json_line() for record in read] == [r.to_json_line() for r in records]
    (ours,), (theirs,) = summarize(read), summarize(records)
    for quantity in QUANTITIES:
        expected = values_one_by_one(theirs, quantity)
        assert sorted(ours.values(quantity)) == expected
        assert sorted(theirs.values(quantity)) == expected
        assert ours.mean(quantity) == (mean(ours.values(quantity)) if expected else None)
    assert table_rows([ours]) == table_rows([theirs])


@pytest.mark.parametrize("value", [7, 7.0, True])
def test_whatever_was_a_number_stays_one(value: object) -> None:
    line = line_with({"train_time": ["s", value]})
    measurement = RunRecord.from_json_line(line).measurements["train_time"]
    assert measurement.values == (float(value),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "measurement",
    [
        ["s"],
        ["s", "nan"],
        ["s", "7"],
        ["s", None],
        ["s", [3.0]],
        [3.0],
        [1, 3.0],
        [],
        "s7",
        {"unit": "s", "values": [3.0]},
    ],
)
def test_a_malformed_measurement_is_refused_at_its_line_when_it_is_read(
    measurement: object, tmp_path: Path
) -> None:
    path = tmp_path / "records.jsonl"
    good = make_record().to_json_line()
    bad = line_with({"test_loss": ["nats", 1.0], "train_time": measurement})
    path.write_bytes(good + bad + b"\n" + good)
    with pytest.raises(RecordError, match=r"records\.jsonl, line 2: .*train_time"):
        read_records(path)


def line_with(measurements: dict[str, object]) -> bytes:
    loaded = json.decode(make_record().to_json_line())
    return json.encode(loaded | {"measurements": measurements})


def test_equal_values_of_other_types_are_written_back_as_they_were() -> None:
    environments: list[dict[str, Any]] = [{"cap": 1}, {"cap": 1.0}, {"cap": True}]
    records = [make_record(environment=environment) for environment in environments]
    read = through_lines(records)
    assert [repr(record.environment) for record in read] == [repr(e) for e in environments]


def test_a_footer_names_some_of_many_commits() -> None:
    records = [make_record(commit=f"{commit:010x}") for commit in range(50)]
    text = "\n".join(footer_lines(summarize(records)))
    assert "commit 0000000000 / 0000000001 / 0000000002 / and 47 more." in text


def test_a_footer_names_a_seed_once() -> None:
    records = [
        make_record(seed=seed, flags=flags, conditions={"turn": turn})
        for turn in range(20)
        for seed, flags in ((0, ("throttled",)), (1, ()))
    ]
    assert "throttled (v0 seed 0): " in "\n".join(footer_lines(summarize(records)))
