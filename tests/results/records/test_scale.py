"""Large stores: work that is counted instead of timed, and the short way against the long one.

`python -m tests.benchmarks.records_at_scale` measures seconds and memory.
"""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results import (
    Measurement,
    RecordError,
    RunRecord,
    RunStore,
    Summary,
    check_comparable,
    read_records,
    summarize,
    table_rows,
)
from results.history.rows import history_rows
from results.records.compact import CompactMeasurements, Pool, collector_paused
from results.render.footer import footer_lines
from results.rows import comparable as comparison_module
from results.rows.summary import STATIC_QUANTITIES
from results.statistics import mean
from tests.results.records_by_hand import ENVIRONMENT, make_record, make_sweep, make_values

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
    pool = Pool()
    return [RunRecord.from_json_line(record.to_json_line(), pool) for record in records]


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


@given(SINGLE)
def test_compact_measurements_are_a_mapping_like_any_other(raw: dict[str, tuple[float]]) -> None:
    plain = {name: Measurement(name, "s", values) for name, values in raw.items()}
    (record,) = through_lines([make_record(measurements=plain)])
    assert record.measurements == plain
    assert plain == record.measurements
    assert repr(record.measurements) == repr(plain)
    for name in QUANTITIES:
        assert (name in record.measurements) == (name in plain)
        assert record.measurements.get(name) == plain.get(name)
    assert record.value("train_time") == make_record(measurements=plain).value("train_time")


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
    loaded = orjson.loads(make_record().to_json_line())
    return orjson.dumps(loaded | {"measurements": measurements})


def test_equal_values_of_other_types_are_written_back_as_they_were() -> None:
    environments: list[dict[str, Any]] = [{"cap": 1}, {"cap": 1.0}, {"cap": True}]
    records = [make_record(environment=environment) for environment in environments]
    read = through_lines(records)
    assert [repr(record.environment) for record in read] == [repr(e) for e in environments]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all measurements made from now on."""
    names: list[str] = []
    check = Measurement.__post_init__

    def counted(measurement: Measurement) -> None:
        names.append(measurement.quantity)
        check(measurement)

    monkeypatch.setattr(Measurement, "__post_init__", counted)
    return names


def large_store(folder: Path, num_commits: int) -> RunStore:
    store = RunStore(folder)
    folder.mkdir()
    records = (
        make_record(
            model,
            seed,
            commit=f"{commit:010x}",
            conditions={"turn": commit},
            values=make_values(0.9 + seed / 1000, 2.0, 7_850, 2**20),
        )
        for commit in range(num_commits)
        for model in ("v0", "v1")
        for seed in range(2)
    )
    store.path.write_bytes(b"".join(record.to_json_line() for record in records))
    return store


def test_a_table_of_a_large_store_makes_no_measurement(tmp_path: Path, made: list[str]) -> None:
    store = large_store(tmp_path / "run", 50)
    made.clear()
    summaries = summarize(read_records(store.folder))
    assert footer_lines(summaries, rows=table_rows(summaries))
    assert len(history_rows(summarize(read_records(store.folder), by="commit"))) == 100
    assert made == []


def test_records_of_a_store_share_what_is_equal(tmp_path: Path) -> None:
    records = read_records(large_store(tmp_path / "run", 50).folder)
    assert len(records) == 200
    assert len({id(record.environment) for record in records}) == 1
    assert len({id(record.spec) for record in records}) == 4  # two models, two seeds
    assert len({id(record.missing) for record in records}) == 1
    measured = [record.measurements for record in records]
    layouts = {id(m.layout) for m in measured if isinstance(m, CompactMeasurements)}
    assert len(layouts) == 1


def test_comparability_is_checked_once_for_what_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = read_records(large_store(tmp_path / "run", 50).folder)
    looked_at: list[RunRecord] = []
    held_equal = comparison_module.held_equal

    def counted(record: RunRecord) -> dict[str, Any]:
        looked_at.append(record)
        return held_equal(record)

    monkeypatch.setattr(comparison_module, "held_equal", counted)
    check_comparable(records)
    assert len(looked_at) == 2 * 4  # both sides of each pair of specification and environment


def test_what_is_shared_does_not_decide_what_is_equal() -> None:
    records = make_sweep()
    copies = [replace(r, environment=dict(r.environment), spec=dict(r.spec)) for r in records]
    check_comparable(copies)
    assert table_rows(summarize(copies)) == table_rows(summarize(records))
    other = make_record(environment=ENVIRONMENT | {"device": "CPU"})
    assert len(summarize([*copies, other], by="plan")) == len(summarize(copies, by="plan")) + 1


def test_groups_of_records_that_come_and_go_are_told_apart() -> None:
    def passing() -> Iterator[RunRecord]:  # each may be gone, and its ids free, before the next
        for number in range(40):
            environment = ENVIRONMENT | {"device": f"GPU {number % 4}"}
            yield make_record(conditions={"turn": number}, environment=environment)

    assert [len(summary.records) for summary in summarize(passing())] == [10] * 4


def test_the_collector_is_as_it_was(tmp_path: Path) -> None:
    assert gc.isenabled()
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            read_records(large_store(tmp_path / "run", 1).folder)
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(RecordError):
        read_records(tmp_path / "nowhere")
    assert gc.isenabled()


def test_a_footer_names_some_of_many_commits(tmp_path: Path) -> None:
    summaries = summarize(read_records(large_store(tmp_path / "run", 50).folder))
    text = "\n".join(footer_lines(summaries))
    assert "commit 0000000000 / 0000000001 / 0000000002 / and 47 more." in text


def test_a_footer_names_a_seed_once() -> None:
    records = [
        make_record(seed=seed, flags=flags, conditions={"turn": turn})
        for turn in range(20)
        for seed, flags in ((0, ("throttled",)), (1, ()))
    ]
    assert "throttled (v0 seed 0): " in "\n".join(footer_lines(summarize(records)))
