"""The classic table of a proof: beside the CPU's accuracy, published seconds and targets."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.render.columns import UNKNOWN, share_of_floor
from results.text import format_latency, format_seconds, percent

if TYPE_CHECKING:
    from results import RunRecord, Summary

CPU_RECORDS = Path(__file__).resolve().parents[2] / "results/tables/cpu-classic-3epochs.jsonl"
FOLDERS = ("classic", "classic-compiled")
TARGETS_S = {"v0": 0.12, "v1": 0.12, "v2": 0.6}
HEADER = (
    *("folder", "model", "plan", "training", "published", "target", "kernels a step"),
    *("floor", "of floor", "accuracy", "on the CPU", "difference"),
)


@dataclass(frozen=True)
class Trained:
    """A model of a folder over its seeds, its row, and the same model on the CPU."""

    folder: str
    summary: "Summary"
    row: Mapping[str, Any]
    on_cpu: "Summary | None"

    @property
    def target_s(self) -> float | None:
        """Of the whole training."""
        return TARGETS_S.get(self.summary.model)

    @property
    def floor_s(self) -> float | None:
        """Of the whole training."""
        if self.row["floor_s"] is None or not self.row["steps"]:
            return None
        return float(self.row["floor_s"] * self.row["steps"])

    @property
    def latency_s(self) -> float | None:
        """Of a node of a CUDA graph, as it was measured on that machine."""
        limits = (record.conditions.get("limit") for record in self.summary.finished)
        return next((limit["latency_s"] for limit in limits if limit), None)


def classic_lines(records: "Mapping[str, Sequence[RunRecord]]") -> Iterator[str]:
    """Yield a table, and for each target that was missed a line on what is in the way."""
    from results import read_records, summarize, table_rows

    on_cpu = {one.model: one for one in summarize(read_records(CPU_RECORDS))}
    trained = [
        Trained(folder, one, table_rows([one])[0], on_cpu.get(one.model))
        for folder in FOLDERS
        for one in summarize(records.get(folder, ()))
    ]
    if not trained:
        return
    yield f"| {' | '.join(HEADER)} |"
    yield "|---|---|---|" + "---:|" * (len(HEADER) - 3)
    yield from (f"| {' | '.join(_cells(one))} |" for one in trained)
    yield ""
    for one in trained:
        training_s = one.row["train_time_s"]
        if one.target_s is not None and training_s is not None and training_s > one.target_s:
            yield f"- {one.folder}, {one.summary.model}: {_what_stands_between(one, one.target_s)}"


def _cells(one: Trained) -> list[str]:
    from results.reference.reported import find_reported

    row, reported = one.row, find_reported(one.summary.model, "classic")
    failure = None if row["status"] == "ok" else f"{row['status']}: {row['reason']}"
    return [
        *(one.folder, one.summary.model, row["plan"]),
        failure or _known(row["train_time_s"], format_seconds),
        _known(reported.seconds if reported else None, format_seconds),
        _known(one.target_s, format_seconds),
        _known(row["kernels_per_step"], "{:.4g}".format),
        _known(one.floor_s, format_seconds),
        share_of_floor(row),
        _known(row["test_accuracy"], percent),
        _known(one.on_cpu.mean("test_accuracy") if one.on_cpu else None, percent),
        _difference(one),
    ]


def _known(value: float | None, text: Callable[[float], str]) -> str:
    return UNKNOWN if value is None else text(value)


def _difference(one: Trained) -> str:
    """Say how our accuracy differs from the CPU's, and whether seeds and test images explain it."""
    from results.rows.difference import difference

    found = one.on_cpu and difference(one.summary, one.on_cpu)
    if not found:
        return UNKNOWN
    half = "" if found.half_width is None else f" ± {100 * found.half_width:.2f}"
    return f"{100 * found.estimate:+.2f}{half} points: {found.verdict}"


def _what_stands_between(one: Trained, target_s: float) -> str:
    said = f"{one.row['train_time_s'] / target_s:.3g} times its target"
    if one.floor_s is None or one.latency_s is None:
        return f"{said}; no floor is known"
    cost = f"{format_seconds(one.floor_s)}, bound by {one.row['binding_term']}"
    if one.row["kernels_per_step"] is not None:
        latency = format_latency(one.latency_s)
        cost += f" ({one.row['kernels_per_step']:.4g} kernels a step, {latency} a node)"
    if one.floor_s > target_s:
        return f"{said}; its floor is above the target: {cost}: only fewer kernels would do"
    above_s = one.row["train_time_s"] - one.floor_s
    return (
        f"{said}; its floor is {cost}; {format_seconds(above_s)} lie above it: longer kernels, gaps"
    )
