"""The measurements of a run so far; a run that fails half-way keeps what it has."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from results import Measurement

SHARED = "spent once, by the first seed"
UNITS = {
    "train_time": "s",
    "epoch_time": "s",
    "throughput": "images/s",
    "images_seen": "images",
    "steps": "steps",
    "epochs": "epochs",
    "peak_memory": "bytes",
    "energy": "J",
    "idle_power": "W",
    "energy_above_idle": "J",
    "data_load_time": "s",
    "probe_time": "s",
    "compile_time": "s",
    "evaluation_time": "s",
    "cold_total": "s",
    "step_time_p50": "s",
    "step_time_p95": "s",
    "time_in_steps": "fraction",
    "compilations_in_clock": "graphs",
    "graph_breaks": "breaks",
    "overrun": "s",
    "overrun_energy": "J",
    "test_accuracy": "fraction",
    "test_loss": "nats",
    "train_accuracy": "fraction",
    "train_loss": "nats",
    "time_to_target": "s",
    "num_params": "parameters",
    "num_trainable_params": "parameters",
    "flops_per_image": "FLOPs",
    "ceilings_time": "s",
    "flops_per_step": "FLOPs",
    "bytes_per_step": "bytes",
    "kernels_per_step": "kernels",
    "floor": "s",
    "percent_of_floor": "%",
    "mfu": "fraction",
    "bandwidth": "bytes/s",
}


@dataclass
class Findings:
    """Measurements, reasons for what is missing, and the rest of a record, filled on the way.

    The arrays among the samples: `loss` and `learning_rate` of every step, `chunk_steps` and
    `chunk_seconds`, `curve` (points, 5) as CurvePoint names them, the readings of a GPU
    (nvml.py), and what the final pass has shown (portrait.py).

    `aside_s` are seconds spent on what only a report asks for: no part of the cold total.
    """

    measurements: dict[str, Measurement] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    conditions: dict[str, Any] = field(default_factory=dict)
    confusion: list[list[int]] | None = None
    curve: list[list[float]] | None = None
    samples: dict[str, Any] = field(default_factory=dict)
    aside_s: float = 0.0

    def add(
        self, quantity: str, value: float | None, reason: str = "", digits: int | None = None
    ) -> None:
        """Keep one value in its base unit, rounded if asked to, or the reason for its absence."""
        if value is None:
            self.missing[quantity] = reason
            return
        value = float(value) if digits is None else round(float(value), digits)
        self.measurements[quantity] = Measurement(quantity, UNITS[quantity], (value,))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Keep the time of its body out of the cold total."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.aside_s += time.perf_counter() - started
