"""Seconds and memory of `table` over large stores: `python -m tests.benchmarks.records_at_scale`.

The stores are made of the lines of results/tables/cpu-default-30s.jsonl: 9 models, 3 seeds, as many
commits as it takes; the figures spread a little. Each command is a process of its own, from start
to exit, and the sizes and commands take turns. Prints a Markdown table of medians.
"""

import argparse
import hashlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import json

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "results/tables/cpu-default-30s.jsonl"
SIZES = (1_000, 10_000, 100_000)
NUM_SEEDS = 3
SPREAD = {  # standard deviations, as shares of the value
    "test_accuracy": 0.003,
    "test_loss": 0.01,
    "train_loss": 0.01,
    "train_time": 0.0001,
    "throughput": 0.01,
    "images_seen": 0.01,
    "peak_memory": 0.002,
    "cold_total": 0.02,
    "evaluation_time": 0.05,
}
# What the first seed of a session bears for all: later ones have no such measurement.
ONCE = ("data_load_time", "ceilings_time", "probe_time", "compile_time")
COMMANDS = {
    "table": ("table",),
    "table --by commit": ("table", "--by", "commit"),
    "choose": ("choose",),
}


class Cost(NamedTuple):
    """What a process took, from start to exit."""

    wall_s: float
    user_s: float
    system_s: float
    peak_bytes: int


def main() -> None:
    """Makes the stores, takes the turns, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stores = {size: write_store(Path(folder) / f"{size}.jsonl", size) for size in options.sizes}
        costs = measure(stores, options.repeats)
    sys.stdout.write(table_of(costs) + "\n")


def write_store(path: Path, num_records: int) -> Path:
    """A file of that many records, the same on every machine."""
    with path.open("wb") as file:
        for record in synthetic_records(num_records):
            file.write(json.encode(record) + b"\n")
    return path


def synthetic_records(num_records: int) -> Iterator[dict[str, Any]]:
    """Records as sweeps over all models and seeds would leave them, commit after commit."""
    templates = [json.decode(line) for line in MODELS.read_bytes().splitlines()]
    generator = random.Random(0)
    for number in range(num_records):
        sweep, turn = divmod(number, len(templates) * NUM_SEEDS)
        model, seed = divmod(turn, NUM_SEEDS)
        yield {
            **templates[model],
            "record_id": _digest(number)[:16],
            "spec": templates[model]["spec"] | {"seed": seed},
            "environment": templates[0]["environment"],
            "provenance": _provenance(templates[model], sweep, number),
            "measurements": _measurements(templates[model], seed, generator),
            "samples": {"file": f"samples/{_digest(number)[:16]}.npz", "sha256": _digest(number)},
            "conditions": templates[model]["conditions"]
            | {"load_average_1min": round(generator.uniform(0, 2), 6)},
        }


def _digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _provenance(template: Mapping[str, Any], sweep: int, number: int) -> dict[str, Any]:
    time_utc = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=35 * number)
    commit = {"commit": _digest(sweep)[:40], "time_utc": time_utc.isoformat()}
    return {**template["provenance"], **commit}


def _measurements(
    template: Mapping[str, Any], seed: int, generator: random.Random
) -> dict[str, Any]:
    measured = {k: m for k, m in template["measurements"].items() if seed == 0 or k not in ONCE}
    for quantity, share in SPREAD.items():
        unit, (value,) = measured[quantity].values()
        spread = float(f"{value * generator.gauss(1, share):.6g}")  # six digits, as records have
        measured[quantity] = {"unit": unit, "values": [spread]}
    return measured


def measure(stores: Mapping[int, Path], repeats: int) -> dict[tuple[str, int], list[Cost]]:
    """The costs of each command over each store; all take turns, so that drift hits all alike."""
    costs: dict[tuple[str, int], list[Cost]] = {}
    for _ in range(repeats):
        for size, store in stores.items():
            for name, words in COMMANDS.items():
                costs.setdefault((name, size), []).append(cost_of([*words, str(store)]))
    return costs


def cost_of(words: Sequence[str]) -> Cost:
    """What one run of fmnist-bench takes, by the kernel's own count of that process.

    Raises:
        RuntimeError: It failed.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([sys.executable, "-m", "bench", *words], cwd=ROOT, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}")
    return Cost(wall_s, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * 1024)


def table_of(costs: Mapping[tuple[str, int], Sequence[Cost]]) -> str:
    """Medians as a Markdown table, with the range of the wall time."""
    lines = [
        "| command | records | wall s (range) | user + system s | peak memory MiB |",
        "|---|---:|---:|---:|---:|",
    ]
    for (name, size), taken in sorted(costs.items()):
        walls = [cost.wall_s for cost in taken]
        cpu_s = statistics.median(cost.user_s + cost.system_s for cost in taken)
        peak = statistics.median(cost.peak_bytes for cost in taken) / 2**20
        wall = f"{statistics.median(walls):.2f} ({min(walls):.2f} to {max(walls):.2f})"
        lines.append(f"| {name} | {size:,} | {wall} | {cpu_s:.2f} | {peak:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
