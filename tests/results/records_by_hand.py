"""Hand-made records that the tests of `results` share."""

import hashlib
from dataclasses import replace
from typing import Any

from results import Measurement, RunRecord

UNITS = {
    **dict.fromkeys(("train_time", "epoch_time", "compile_time", "cold_total", "floor"), "s"),
    **dict.fromkeys(("test_accuracy", "train_accuracy", "mfu"), "fraction"),
    **dict.fromkeys(("num_params", "num_trainable_params"), "parameters"),
    **dict.fromkeys(("flops_per_image", "flops_per_step"), "FLOPs"),
    **dict.fromkeys(("peak_memory", "bytes_per_step"), "bytes"),
    **{"images_seen": "images", "steps": "steps", "epochs": "epochs", "energy": "J"},
    **{"throughput": "images/s", "bandwidth": "bytes/s", "kernels_per_step": "kernels"},
    **{"test_loss": "nats", "percent_of_floor": "%"},
}
LIMIT = {"binds": "compute", "flops_per_s": 788e12, "bytes_per_s": 4.31e12, "latency_s": 1.2e-6}
ENVIRONMENT = {
    "device": "NVIDIA H200",
    "device_kind": "cuda",
    "power_cap_w": 700.0,
    "torch": "2.14.1",
    "cuda": "13.0",
    "python": "3.12.3",
    "data_hash": "5f2c0e9a7d3b1846",
}


def make_spec(model: str = "v0", **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    spec = {
        "model": model,
        "recipe": {
            "name": "sgd",
            "learning_rate_source": "peak per model from one equal-effort validation sweep; "
            "unknown models take the base rate",
        },
        "budget": "3epochs",
        "plan": "resident-graph",
        "requested_plan": "auto",
        "seed": 0,
        "precision": "bf16",
        "evaluation_split": "test",
    }
    return spec | changes


def make_record(
    model: str = "v0",
    seed: int = 0,
    *,
    values: dict[str, float] | None = None,
    spec: dict[str, Any] | None = None,
    commit: str = "0123456789abcdef",
    **fields: Any,  # noqa: ANN401
) -> RunRecord:
    """A record whose identity follows from its arguments; `fields` replace any other."""
    whole_spec = make_spec(model, seed=seed, **(spec or {}))
    identity = repr((whole_spec, values, commit, fields))
    config = repr({key: value for key, value in whole_spec.items() if key != "seed"})
    defaults = {
        "record_id": hashlib.sha256(identity.encode()).hexdigest()[:16],
        "config_id": hashlib.sha256(config.encode()).hexdigest()[:16],
        "status": "ok",
        "environment": ENVIRONMENT,
        "provenance": {"commit": commit, "dirty": False},
        "measurements": make_measurements(values or {}),
    }
    return RunRecord(**{**defaults, **fields}, spec=whole_spec)


def make_measurements(values: dict[str, float]) -> dict[str, Measurement]:
    return {name: Measurement(name, UNITS[name], (value,)) for name, value in values.items()}


def with_measured(record: RunRecord, quantity: str, unit: str, value: float) -> RunRecord:
    """The record with one quantity more."""
    measured = {**record.measurements, quantity: Measurement(quantity, unit, (value,))}
    return replace(record, measurements=measured)


def make_values(
    accuracy: float, seconds: float, params: int, memory_bytes: int, **changes: float
) -> dict[str, float]:
    """All that a finished run of three epochs on a GPU measures."""
    images = 162_000
    values = {
        "test_accuracy": accuracy,
        "test_loss": 1.08 * (1 - accuracy) ** 0.6,
        "train_time": seconds,
        "epoch_time": seconds / 3,
        "epochs": 3.0,
        "steps": 1266.0,
        "images_seen": float(images),
        "peak_memory": float(memory_bytes),
        "energy": 410 * seconds,
        "compile_time": 9.2 + seconds / 2,
        "cold_total": 14.8 + 2 * seconds,
        "num_params": float(params),
        "num_trainable_params": float(params),
        "flops_per_image": params * 23.0,
    }
    return values | changes


def make_curve(seconds: float, accuracies: list[float]) -> list[list[float]]:
    share = 1 / len(accuracies)
    return [
        [seconds * share * point, share * point, 162_000 * share * point, accuracy]
        for point, accuracy in enumerate(accuracies, start=1)
    ]


def make_sweep() -> list[RunRecord]:
    """Three seeds, one seed, a partial failure, flags, a diverged row and one without numbers."""
    mebibyte = 2**20
    records = []
    for seed, accuracy in enumerate((0.9412, 0.9425, 0.9407)):
        values = make_values(accuracy, 6.31 + 0.02 * seed, 2_777_674, 961 * mebibyte)
        curve = make_curve(6.31, [0.871, 0.912, 0.928, 0.9441])
        records.append(make_record("resnet8", seed, values=values, curve=curve))
    for seed, accuracy in enumerate((0.9123, 0.9098, 0.9135)):
        values = make_values(accuracy, 0.912 + 0.004 * seed, 83_210, 118 * mebibyte)
        curve = make_curve(0.912, [0.802, 0.861, 0.893, 0.9081])
        records.append(make_record("fashion_cnn", seed, values=values, curve=curve))
    for seed, accuracy in enumerate((0.8381, 0.8402)):
        values = make_values(accuracy, 0.2214, 7_850, 21 * mebibyte)
        curve = make_curve(0.22, [0.79, 0.81, 0.83, 0.8412])
        records.append(make_record("v0", seed, values=values, curve=curve))
    records.append(
        make_record("v0", 2, status="crashed", reason="the child process ended with signal 9")
    )
    for seed in range(3):
        values = make_values(0.1, 0.2391, 8_490, 22 * mebibyte, test_loss=2.3026)
        curve = make_curve(0.24, [0.1, 0.1, 0.1, 0.1])
        records.append(make_record("v1", seed, values=values, curve=curve, flags=("at_chance",)))
    values = make_values(
        0.8877, 60.2, 24_555_978, 19_870 * mebibyte, epochs=0.62, images_seen=33_480.0
    )
    curve = make_curve(60.2, [0.61, 0.78, 0.84, 0.8881])
    records.append(make_record("resnet50", values=values, curve=curve, flags=("under_trained",)))
    diverged = {"num_params": 1_460_074.0, "flops_per_image": 92e6, "train_time": 0.31}
    reason = "the loss is not finite at step 210 of 1266"
    records += [
        make_record("alexnet", seed, values=diverged, status="diverged", reason=reason)
        for seed in range(3)
    ]
    reason = "CUDA out of memory: tried to allocate 96.00 GiB, of which 61.20 GiB are free"
    records.append(make_record("alexnet224", status="out_of_memory", reason=reason))
    return records
