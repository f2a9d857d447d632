"""Malformed records are refused at the door, in a line that names file, line and field."""

import copy
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from results import RecordError, RunRecord, read_records
from tests.golden_text import GOLDEN

LINES = (GOLDEN / "records-schema-2.jsonl").read_bytes().splitlines()
RUN, RUNG = map(json.decode, LINES[:2])
CURVES: tuple[object, ...] = (
    *([[1, 2, 3]], [[1, 0.1, 5, "x"]], [1], ["abcd"], [[1, 0.1, 5, None]], [[1, 0.1, 5, 1.5]]),
    *([[-1, 0.1, 5, 0.5]], [[1e300, 0.1, 5, 0.5]], [[1, 1, 1, 1], []], [{"a": 1}], [[[]] * 4]),
)
MATRICES: tuple[object, ...] = (
    *([[1, 2], [3]], [[1, -2], [3, 4]], [[1, "2"], [3, 4]], [[1.5, 2], [3, 4]], [1, 2]),
    *([[1] * 10] * 9, ["ab", "cd"], [[1, None], [3, 4]]),
)
DEVICES: tuple[object, ...] = (1, ["x"], {})
ODD: tuple[tuple[str, object], ...] = (
    *(("curve", curve) for curve in CURVES),
    *(("confusion", matrix) for matrix in MATRICES),
    *(("flags", flags) for flags in ([1], [None], [["a"]])),
    *(("samples.sha256", digest) for digest in (7, None)),
    *(("samples.file", file) for file in ("../../x", "/etc/passwd", None, 7)),
    *(("spec.seed", seed) for seed in ("0", None, 1.0, True, [1], 2**64, -(2**63) - 1, 10**4000)),
    *(("spec.budget", budget) for budget in ("", "soon", "3", "1e999s", "0s", "-1s", 3, None)),
    *(("spec.target", target) for target in ("0.9", True, 1.5, -0.1)),
    *((f"spec.{name}", 3) for name in ("model", "plan", "precision", "evaluation_split")),
    *(("spec.recipe.batch_size", size) for size in ([1], {"a": 1}, "32", True)),
    ("spec.recipe.name", ["x"]),
    ("spec.recipe.learning_rate_source", 1),
    *(("environment.device", device) for device in DEVICES),
    ("environment.power_cap_w", "700"),
    ("environment.data_hash", 5),
    *(("conditions.limit", limit) for limit in ("x", 1, {"binds": "compute"})),
    *(("conditions.limit.flops_per_s", rate) for rate in ("1", -1, 1e300, 1e-300)),
    ("conditions.limit.latency_s", None),
    ("conditions.energy_method", 1),
    ("conditions.saved", ["x"]),
    *((f"provenance.{name}", 1) for name in ("commit", "time_utc", "harness_version")),
    *(("missing.energy", reason) for reason in (1, None, ["x"])),
)


def with_field(record: dict[str, Any], field: str, value: object) -> dict[str, Any]:
    """A copy of a record with another value at a dotted place."""
    record = place = copy.deepcopy(record)
    *way, last = field.split(".")
    for key in way:
        place = place[key]
    place[last] = value
    return record


def refuses(record: dict[str, Any], field: str, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(json.encode(RUN) + b"\n" + json.encode(record) + b"\n")
    with pytest.raises(RecordError) as refused:
        read_records(path)
    message = str(refused.value)
    assert message.startswith(f"{path}, line 2: ")
    assert field in message
    assert message.isprintable()
    assert len(message) < len(str(path)) + 250


@pytest.mark.parametrize(("field", "value"), ODD)
def test_a_malformed_field_is_refused_by_its_name(
    field: str, value: object, tmp_path: Path
) -> None:
    refuses(with_field(RUN, field, value), field, tmp_path)


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        *(("test_accuracy", 1.0001), ("test_accuracy", -0.1), ("train_accuracy", 2)),
        *(("train_time", -1), ("train_time", 1e300), ("train_time", 1e-300), ("steps", 2**63)),
        *(("num_params", 1e38), ("overrun", -1e300), ("test_loss", -0.5)),
    ],
)
def test_a_value_that_cannot_be_is_refused(quantity: str, value: float, tmp_path: Path) -> None:
    refuses(with_field(RUN, f"measurements.{quantity}", ["s", value]), quantity, tmp_path)


POSSIBLE = (
    *(("train_time", 0), ("train_time", -0.0), ("test_loss", 1e38), ("test_loss", 1e-45)),
    *(("overrun", -0.003), ("mfu", 1.2), ("steps", 2**62), ("test_accuracy", 0)),
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((f"measurements.{quantity}", ["s", value]) for quantity, value in POSSIBLE),
        *(("spec.seed", seed) for seed in (-(2**63), 2**63, 2**64 - 1)),  # all that torch takes
    ],
)
def test_a_value_that_can_be_is_read_as_it_stands(field: str, value: object) -> None:
    changed = with_field(RUN, field, value)
    record = RunRecord.from_json_line(json.encode(changed))
    assert json.decode(record.to_json_line()) == changed
    assert RunRecord.from_json_line(record.to_json_line()) == record


@pytest.mark.parametrize("name", ["rung", "rung_index"])
def test_a_rung_has_its_name_and_place(name: str, tmp_path: Path) -> None:
    lacking = copy.deepcopy(RUNG)
    del lacking["spec"][name]
    refuses(lacking, name, tmp_path)
    refuses(with_field(RUNG, f"spec.{name}", [1]), name, tmp_path)
