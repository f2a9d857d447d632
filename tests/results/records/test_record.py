"""One run, one line: what is kept, cut, refused."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from results import Measurement, RecordError, RunRecord, read_records
from tests.results.records_by_hand import make_record, make_spec

ODD = {"": None, 'naïve\n"\\': [1, 2.5, True, {"deep": []}], "big": 2**53, "tiny": 5e-324}


def test_a_record_survives_its_line() -> None:
    record = make_record(
        status="diverged",
        reason="first line\nsecond",
        flags=("b", "a"),
        spec={"note": ODD},
        environment=ODD,
        conditions=ODD,
        measurements={"energy": Measurement("energy", "J", (0.0, 1e-45, 2.5))},
        missing={"test_loss": "not finite"},
        curve=[[0.0, 1e-45, 3.5, 1.0]],
        extra={"carbon_g": ODD},  # of a later version
    )
    line = record.to_json_line()
    assert line.index(b"\n") == len(line) - 1
    assert RunRecord.from_json_line(line) == record


def line_with(**changes: object) -> bytes:
    return json.encode(json.decode(make_record().to_json_line()) | changes)


def test_whole_numbers_are_written_without_a_point_and_read_back_as_floats() -> None:
    values = (20.0, 0.5, 2.0**60)
    record = make_record(measurements={"steps": Measurement("steps", "steps", values)})
    line = record.to_json_line()
    assert b'"steps":["steps",20,0.5,' in line
    read = RunRecord.from_json_line(line).measurements["steps"].values
    assert read == values
    assert {type(value) for value in read} == {float}
    line = line_with(measurements={"train_time": ["s", 7, 7.0, True]})  # whatever was a number
    assert RunRecord.from_json_line(line).measurements["train_time"].values == (7, 7, 1)


def test_equal_values_of_other_types_are_written_back_as_they_were() -> None:
    for environment in ({"cap": 1}, {"cap": 1.0}, {"cap": True}):
        read = RunRecord.from_json_line(make_record(environment=environment).to_json_line())
        assert repr(read.environment) == repr(environment)


@pytest.mark.parametrize(
    "measurement",
    [
        *(["s"], ["s", "nan"], ["s", "7"], ["s", None], ["s", [3.0]], [3.0], [1, 3.0], []),
        *("s7", {"unit": "s", "values": [3.0]}),
    ],
)
def test_a_malformed_measurement_is_refused_at_its_line_when_it_is_read(
    measurement: object, tmp_path: Path
) -> None:
    path = tmp_path / "records.jsonl"
    good = make_record().to_json_line()
    bad = line_with(measurements={"test_loss": ["nats", 1.0], "train_time": measurement})
    path.write_bytes(good + bad + b"\n" + good)
    with pytest.raises(RecordError, match=r"records\.jsonl, line 2: .*train_time"):
        read_records(path)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("x" * 1000, "x" * 1000),  # which fits
        ("x" * 9000, "x" * 300),
        ("no file caf\udce9.py", r"no file caf\udce9.py"),  # what UTF-8 cannot hold
    ],
)
def test_a_long_reason_is_cut_to_make_the_record_fit(written: str, read: str) -> None:
    line = make_record(status="crashed", reason=written).to_json_line()
    assert len(line) <= 4096
    assert RunRecord.from_json_line(line).reason == read


def test_a_line_of_4096_bytes_passes_and_one_more_does_not() -> None:
    room = 4096 - len(make_record(conditions={"load": ""}, record_id="0" * 16).to_json_line())
    fits = make_record(conditions={"load": "x" * room}, record_id="0" * 16)
    assert len(fits.to_json_line()) == 4096
    with pytest.raises(RecordError, match="takes 4097 bytes of 4096"):
        dataclasses.replace(fits, conditions={"load": "x" * (room + 1)}).to_json_line()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "fine"}, "unknown status 'fine'; choose from ok, diverged"),
        ({"record_id": "../../etc/passwd"}, "not 16 lower-case hex digits"),
        ({"spec": {"model": "v0"}}, "spec: object missing required field `recipe`"),
        ({"spec": make_spec(recipe="sgd")}, "spec.recipe: expected `object`, got `str`"),
        ({"flags": "at_chance"}, "flags: expected `array`, got `str`"),
        ({"schema_version": True}, "schema_version is True"),
        ({"schema_version": 3}, r"record schema 3.*update fmnist-bench"),
    ],
)
def test_a_line_that_is_no_record_says_why(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message) as caught:
        RunRecord.from_json_line(line_with(**change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", [b"{}", b"[1]", b"null", b'"spec"'])
def test_other_json_is_no_record(line: bytes) -> None:
    with pytest.raises(RecordError, match="no run record"):
        RunRecord.from_json_line(line)


def test_what_json_cannot_hold_is_one_error() -> None:
    with pytest.raises(RecordError, match="holds no plain JSON"):
        make_record(conditions={"load": object()}).to_json_line()


@pytest.mark.parametrize("values", [(), (float("nan"),), (1.0, float("inf"))])
def test_an_unknown_quantity_is_no_measurement(values: tuple[float, ...]) -> None:
    with pytest.raises(RecordError, match="name an unknown quantity in `missing`"):
        Measurement("test_loss", "nats", values)


def test_statistics_are_derived_and_one_value_has_no_spread() -> None:
    measurement = Measurement("step_time", "s", (1.0, 2.0, 6.0))
    assert (measurement.mean(), measurement.median()) == (3.0, 2.0)
    assert measurement.stdev() == pytest.approx(7**0.5)
    assert Measurement("step_time", "s", (1.0,)).stdev() is None


def test_a_value_is_none_where_it_was_not_measured() -> None:
    record = make_record(values={"train_time": 2.5})
    assert record.value("train_time") == 2.5
    assert record.value("energy") is None
