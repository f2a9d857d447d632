"""What a record of 4 KB has room for, and what it does without where it would not fit."""

import math
from dataclasses import replace

import pytest

from bench import Budget, Plan, RunSpec
from bench.measure.findings import UNITS, Findings
from bench.run.record import SAMPLES_PLACE, shortened
from bench.run.record import make_record as record_of
from bench.spec.named_recipes import find_recipe
from results import Measurement, RecordError, RunRecord
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


def test_a_worst_case_record_of_a_gpu_keeps_its_curve_and_its_confusion_matrix() -> None:
    whole = worst_case()
    short = replace(shortened(whole), samples=SAMPLES_PLACE)
    assert len(short.to_json_line()) <= MAX_LINE_BYTES
    assert len(short.curve or []) == 11
    assert short.confusion == whole.confusion


def test_a_record_that_fits_stays_whole() -> None:
    record = make_record()
    assert shortened(record) is record


def test_a_record_that_does_not_fit_loses_the_probe_first() -> None:
    long = replace(make_record(), tried=["x" * 4000], curve=[[1.0, 1.0, 1, 0.5]])
    with pytest.raises(RecordError):
        long.to_json_line()
    short = shortened(long)
    assert (short.tried, short.curve) == ([], [[1.0, 1.0, 1, 0.5]])
    assert "4 KB" in short.missing["tried"]
    assert len(replace(short, samples=SAMPLES_PLACE).to_json_line()) <= 4096


def test_a_record_that_does_not_fit_loses_digits_before_anything_else() -> None:
    number = 1234567.0 + 1 / 3
    measured = {f"time{i}": Measurement(f"time{i}", "s", (number, 2.0**60)) for i in range(62)}
    long = replace(make_record(), measurements=measured, curve=[[0.1234567890123, 1 / 3, 7, 0.5]])
    assert 0 < len(replace(long, measurements={}).to_json_line()) < 4096
    with pytest.raises(RecordError):
        long.to_json_line()
    short = shortened(long)
    assert short.measurements["time0"].values == (1234570.0, 2.0**60)
    assert (short.curve, short.missing) == ([[0.123457, 0.333333, 7, 0.5]], {})


def test_times_lose_further_digits_before_the_probe_is_lost() -> None:
    number = 7.0 + 1 / 3
    measured = {f"time{i}": Measurement(f"time{i}", "s", (number,)) for i in range(30)}
    measured["accuracy"] = Measurement("accuracy", "fraction", (2 / 3,))
    curve = [[1.23456, 0.123457, 7, 0.808333]]
    long = replace(make_record(), measurements=measured, curve=curve, tried=["x"])
    for length in range(0, 4000, 20):  # until six digits are too many
        short = shortened(replace(long, conditions={"text": "x" * length}))
        if short.measurements["time0"].values == (7.333,):
            break
    assert short.measurements["time0"].values == (7.333,)
    assert short.measurements["accuracy"].values == (0.666667,)
    assert (short.curve, short.tried) == ([[1.235, 0.123457, 7, 0.808333]], ["x"])


def test_a_record_loses_no_more_than_it_must() -> None:
    confusion = [[1000] * 10] * 10
    curve = [[0.123456789] * 4] * 300
    long = replace(make_record(), tried=["x"], curve=curve, confusion=confusion)
    short = shortened(long)
    assert (short.tried, 1 < len(short.curve or ()) <= 5) == ([], True)
    assert short.confusion == confusion
    no_room = shortened(replace(long, conditions={"text": "x" * 2600}))
    assert (no_room.curve, no_room.confusion) == (None, confusion)


def test_a_record_that_no_store_could_take_is_a_row_that_says_why() -> None:
    lost = shortened(make_record(conditions={"load": "x" * 5000}))
    assert lost.status == "crashed"
    assert "bytes of 4096" in (lost.reason or "")
    assert shortened(lost) is lost


def test_a_curve_cut_short_keeps_what_tables_read_off_it() -> None:
    accuracies = [0.5, 0.81, 0.82, 0.83, 0.86, 0.91, 0.89, 0.88, 0.9, 0.9, 0.9]
    curve = [[k + 1 / 3, 1 / 3, k, accuracy] for k, accuracy in enumerate(accuracies)]
    whole = replace(make_record(), curve=curve)
    lengths = range(0, 4000, 20)  # until it does not fit any more
    records = (shortened(replace(whole, conditions={"text": "x" * n})) for n in lengths)
    few = next(record for record in records if len(record.curve or ()) < len(curve))
    assert few.curve is not None
    assert [point[2] for point in few.curve] == [0, 1, 4, 5, 10]  # at 80, 85 and 90 %, the best


def test_a_record_loses_points_of_its_curve_before_the_confusion_matrix() -> None:
    recipe = find_recipe("r2_resnet18", "as_published")
    spec = RunSpec(
        model="resnet18", recipe=recipe, budget=Budget(60, "s"), plan=Plan.parse("channels_last")
    ).resolved_for("cpu")
    findings = Findings(confusion=[[111] * 10] * 10)
    findings.curve = [[123.456789, 0.123456, 60_000 * k, 0.8912] for k in range(11)]
    for quantity in ("train_time", "epoch_time", "throughput", "overrun", "test_loss"):
        findings.add(quantity, 1234.56789)
    for length in range(1000, 4000, 20):  # until it does not fit any more
        found = {"text": "x" * length}
        record = record_of(spec, "ok", None, environment={}, conditions=found, findings=findings)
        # the store adds where samples lie
        assert len(record.to_json_line()) <= MAX_LINE_BYTES - 100
        assert record.curve is not None
        if len(record.curve) < 11:
            break
    assert record.curve is not None
    assert 1 < len(record.curve) <= 5
    assert record.curve[-1][2] == 600_000
    assert record.confusion is not None


def test_a_long_path_of_weights_fits_a_record() -> None:
    recipe = replace(find_recipe("default"), weights="/folder" * 300 + "/w.pt")
    spec = RunSpec(model="v0", recipe=recipe, budget=Budget(1, "steps"), plan=Plan())
    record = record_of(spec.resolved_for("cpu"), "ok", None, environment={})
    assert record.spec["recipe"]["weights"] == "w.pt"
    assert len(record.to_json_line()) < 1500
