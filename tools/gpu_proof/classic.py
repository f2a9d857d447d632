"""The classic table of a proof: beside the CPU's accuracy, published seconds and targets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.render.columns import share_of_floor
from results.text import format_latency, format_seconds

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
    """A table, and for each target that was missed what stands between."""
    trained = [one for folder in FOLDERS for one in _trained(folder, records.get(folder, ()))]
    if not trained:
        return
    yield f"| {' | '.join(HEADER)} |"
    yield "|---|---|---|" + "---:|" * (len(HEADER) - 3)
    yield from (f"| {' | '.join(_cells(one))} |" for one in trained)
    yield ""
    yield from (f"- {_what_stands_between(one)}" for one in trained if _has_missed(one))


def _trained(folder: str, records: "Sequence[RunRecord]") -> list[Trained]:
    from results import read_records, summarize
    from results.rows.rows import rows_of

    summaries = summarize(records)
    on_cpu = {one.model: one for one in summarize(read_records(CPU_RECORDS))}
    rows = zip(summaries, rows_of(summaries), strict=True)
    return [Trained(folder, one, row, on_cpu.get(one.model)) for one, row in rows]


def _cells(one: Trained) -> list[str]:
    from results.reference.reported import find_reported

    row, reported = one.row, find_reported(one.summary.model, "classic")
    kernels = row["kernels_per_step"]
    training = row["train_time_s"]
    return [
        *(one.folder, one.summary.model, row["plan"]),
        _seconds(training) if row["status"] == "ok" else f"{row['status']}: {row['reason']}",
        _seconds(reported.seconds if reported else None),
        _seconds(TARGETS_S.get(one.summary.model)),
        "-" if kernels is None else f"{kernels:.4g}",
        _seconds(one.floor_s),
        share_of_floor(row),
        *_accuracies(one),
    ]


def _seconds(value: float | None) -> str:
    return "-" if value is None else format_seconds(value)


def _accuracies(one: Trained) -> tuple[str, str, str]:
    """Ours, the CPU's, and whether seeds and test images explain the difference."""
    from results.rows.difference import difference

    ours, theirs = one.row["test_accuracy"], None
    found = None
    if one.on_cpu is not None:
        theirs, found = one.on_cpu.mean("test_accuracy"), difference(one.summary, one.on_cpu)
    text = "-"
    if found is not None:
        half = "" if found.half_width is None else f" ± {100 * found.half_width:.2f}"
        text = f"{100 * found.estimate:+.2f}{half} points: {found.verdict}"
    return _percent(ours), _percent(theirs), text


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def _has_missed(one: Trained) -> bool:
    target, seconds = TARGETS_S.get(one.summary.model), one.row["train_time_s"]
    return target is not None and seconds is not None and seconds > target


def _what_stands_between(one: Trained) -> str:
    row, target_s = one.row, TARGETS_S[one.summary.model]
    said = (
        f"{one.folder}, {one.summary.model}: {row['train_time_s'] / target_s:.3g} times its target"
    )
    if one.floor_s is None or one.latency_s is None:
        return f"{said}; no floor is known"
    cost = f"{_seconds(one.floor_s)}, bound by {row['binding_term']}"
    if row["kernels_per_step"] is not None:
        latency = format_latency(one.latency_s)
        cost += f" ({row['kernels_per_step']:.4g} kernels a step, {latency} a node)"
    if one.floor_s > target_s:
        return f"{said}; its floor is above the target: {cost}: only fewer kernels would do"
    above_s = row["train_time_s"] - one.floor_s
    return f"{said}; its floor is {cost}; {_seconds(above_s)} lie above it: longer kernels, gaps"
