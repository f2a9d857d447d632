"""Lines of every version are read as what they say, and the newest layout is frozen."""

import copy
from json import dumps  # msgspec writes no number of more than 64 bits
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from results import RecordError, RunRecord, read_records
from results.records.layout import MIGRATIONS, SCHEMA_VERSION, from_1_to_2, migrated
from tests.golden_text import GOLDEN

FIELDS = (  # those that no version has changed
    *("record_id", "config_id", "status", "reason", "spec", "environment", "conditions"),
    *("provenance", "missing", "confusion", "curve", "samples", "tried"),
)
VERSIONS = range(1, SCHEMA_VERSION + 1)


def fixture_of(version: int) -> Path:
    return GOLDEN / f"records-schema-{version}.jsonl"


def lines_of(version: int) -> list[bytes]:
    return fixture_of(version).read_bytes().splitlines(keepends=True)


def stored_measurements(loaded: dict[str, Any]) -> dict[str, tuple[str, tuple[float, ...]]]:
    """Unit and values of each measurement, read off the plain JSON of any version."""
    found = {}
    for name, stored in loaded["measurements"].items():
        as_list = [stored["unit"], *stored["values"]] if isinstance(stored, dict) else stored
        found[name] = (as_list[0], tuple(as_list[1:]))
    return found


def test_every_version_has_a_step_to_the_next_and_a_frozen_file() -> None:
    assert sorted(MIGRATIONS) == list(VERSIONS[:-1]), "a new version needs a step in migrations.py"
    for version in VERSIONS:
        assert fixture_of(version).is_file(), f"freeze lines of version {version} in tests/golden"
        stored = {json.decode(line)["schema_version"] for line in lines_of(version)}
        assert stored == {version}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_line_of_any_version_is_read_as_what_it_says(version: int) -> None:
    records = read_records(fixture_of(version))
    assert records == read_records(fixture_of(SCHEMA_VERSION))  # of the same runs
    assert [record.status for record in records] == ["ok"] * 4 + ["interrupted"]
    for record, line in zip(records, lines_of(version), strict=True):
        loaded = json.decode(line)
        assert record.schema_version == SCHEMA_VERSION
        assert {name: getattr(record, name) for name in FIELDS} == {n: loaded[n] for n in FIELDS}
        assert list(record.flags) == loaded["flags"]
        measured = {n: (m.unit, m.values) for n, m in record.measurements.items()}
        assert measured == stored_measurements(loaded)
        assert record.extra == {}


def test_the_newest_layout_is_frozen() -> None:
    # another layout needs a version of its own: lines like these are in people's stores
    for line in lines_of(SCHEMA_VERSION):
        assert RunRecord.from_json_line(line).to_json_line() == line


def test_a_step_changes_nothing_of_what_it_is_given() -> None:
    for line in lines_of(1):
        loaded = json.decode(line)
        before = copy.deepcopy(loaded)
        assert migrated(loaded)["schema_version"] == SCHEMA_VERSION
        assert loaded == before


def test_unknown_keys_of_an_older_line_are_kept_at_any_depth() -> None:
    loaded = json.decode(lines_of(1)[0])
    new = {"carbon": {"g": [1, 2.5, None]}}
    loaded |= new
    for name in ("spec", "environment", "conditions", "provenance", "samples"):
        loaded[name] |= new
    loaded["spec"]["recipe"] |= new
    loaded["conditions"]["limit"] |= new
    record = RunRecord.from_json_line(json.encode(loaded))
    written = json.decode(record.to_json_line())
    kept = (*FIELDS, "carbon")
    assert {name: written[name] for name in kept} == {name: loaded[name] for name in kept}
    assert RunRecord.from_json_line(record.to_json_line()) == record


@pytest.mark.parametrize(
    "malformed",
    [3.0, None, "s", [], ["s", 3.0], {"unit": "s"}, {"values": [3.0]}, {"unit": "s", "values": 3}]
    + [{"unit": "s", "values": v} for v in ([], "7", ["7"], [None], [[1]], {"1": 2}, [True, None])]
    + [{"unit": 1, "values": [1]}, {"unit": ["s"], "values": [1]}],
)
def test_a_malformed_measurement_of_the_first_version_is_refused(malformed: object) -> None:
    loaded = json.decode(lines_of(1)[0])
    loaded["measurements"]["train_time"] = malformed
    with pytest.raises(RecordError, match="measurement 'train_time'") as refused:
        RunRecord.from_json_line(json.encode(loaded))
    assert str(refused.value).isprintable()


def test_measurements_that_are_no_object_are_refused_in_every_version() -> None:
    for version in VERSIONS:
        loaded = json.decode(lines_of(version)[0]) | {"measurements": [1]}
        with pytest.raises(RecordError, match="measurements: expected `object`"):
            RunRecord.from_json_line(json.encode(loaded))
    assert from_1_to_2({"measurements": None}) == {"measurements": None}


@pytest.mark.parametrize("version", [0, -1, True, False, "1", 1.0, None, [1], 2**70, -(2**63)])
def test_a_version_that_never_was_is_refused_in_a_line(version: object) -> None:
    line = json.encode(json.decode(lines_of(1)[0]) | {"schema_version": 7})
    with pytest.raises(RecordError, match="schema") as refused:
        RunRecord.from_json_line(
            line.replace(b'_version":7', b'_version":' + dumps(version).encode())
        )
    assert str(refused.value).isprintable()
