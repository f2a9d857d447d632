"""What a record of 4 KB has room for: the worst that a run on a GPU measures."""

import math
from dataclasses import replace
from typing import Any

from msgspec import json

from bench.measure.findings import UNITS
from bench.run.record import SAMPLES_PLACE, shortened
from results import Measurement, RunRecord
from results.records.record import MAX_LINE_BYTES
from tests.results.records_by_hand import ENVIRONMENT, make_record

OVER_ONE = {"s", "J", "W", "images/s", "bytes", "FLOPs", "parameters", "images", "bytes/s", "%"}
GPU = {
    "load_average_1min": 12.34,
    "num_threads": 16,
    "gpu_uuid": "GPU-01234567-89ab-cdef-0123-456789abcdef",
    "gpu_power_w": 612.3,
    "gpu_sm_clock_mhz": [1980.0, 1755.0],
    "gpu_memory_clock_mhz": [3201.0, 3201.0],
    "gpu_temperature_c": 71.0,
    "throttle_reasons": ["sw power cap"],
    "energy_method": "counter",
    "pretrained": True,
    "weights_note": "x" * 40,
    "limit": {"binds": "memory", "flops_per_s": 7.88e14, "bytes_per_s": 4.31e12, "latency_s": 1e-6},
}
RECIPE = {
    "name": "r1_resnet50@as_published",
    **dict.fromkeys(("learning_rate", "weight_decay", "momentum", "warmup_fraction"), 0.123),
    **dict.fromkeys(("optimizer", "schedule", "normalize", "precision", "split"), "a dozen long"),
    **dict.fromkeys(("weights", "trainable", "stem", "protocol", "selection"), "a dozen long"),
    "learning_rate_source": "peak per model from one equal-effort validation sweep",
}


def worst_case() -> RunRecord:
    """Every quantity with all its digits, a whole curve, confusion and probe, a long name."""
    values = {
        name: 1234567.1234567 if unit in OVER_ONE else 0.1234567891 for name, unit in UNITS.items()
    }
    plan = "resident,channels_last,graph:10,compile:max-autotune"
    return make_record(
        spec={"recipe": RECIPE, "plan": plan, "budget": "180000images"},
        environment=ENVIRONMENT | {"system": "Linux x86_64", "num_cores": 16, "cudnn": 91900},
        conditions=GPU,
        flags=("throttled", "under_trained", "beat_floor"),
        provenance={
            "commit": "0" * 40,
            "dirty": False,
            "source_hash": "0" * 12,
            "harness_version": "0.1.0",
            "time_utc": "2026-11-26T20:51:21+00:00",
        },
        measurements={name: Measurement(name, UNITS[name], (v,)) for name, v in values.items()},
        confusion=[[900 if row == column else 12 for column in range(10)] for row in range(10)],
        curve=[[math.pi * k, math.pi * k / 40, 162_000 * k, 0.9412341] for k in range(1, 12)],
        tried=[{"plan": plan, "step_s": [0.000123, 0.000234, 0.000345]} for _ in range(6)],
    )


def in_schema_1(record: RunRecord) -> bytes:
    """The record as the first schema wrote it."""
    loaded: dict[str, Any] = json.decode(record.to_json_line())
    measured = loaded["measurements"].items()
    old = {name: {"unit": unit, "values": values} for name, (unit, *values) in measured}
    return json.encode(loaded | {"measurements": old, "schema_version": 1}) + b"\n"


def test_a_worst_case_record_of_a_gpu_keeps_its_curve_and_its_confusion_matrix() -> None:
    whole = worst_case()
    short = replace(shortened(whole), samples=SAMPLES_PLACE)
    assert len(short.to_json_line()) <= MAX_LINE_BYTES
    assert len(short.curve or []) == 11
    assert short.confusion == whole.confusion
    # what the first schema would have taken for the same: it had to leave something out
    assert len(in_schema_1(short)) > MAX_LINE_BYTES + 300
