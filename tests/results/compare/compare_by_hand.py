"""Runs of one process, and what compare_records finds between two sets of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from results import RunRecord
from results.compare.compare import Comparison
from results.gate.verdict import Check, Finding
from tests.results.records_by_hand import make_record, make_values, with_measured

MIB = 2**20
SEEDS = (0.900, 0.902, 0.901)  # accuracies


def runs(
    accuracies: Sequence[float] = SEEDS,
    model: str = "v0",
    *,
    seconds: Sequence[float] = (2.00, 2.02, 1.98),
    memory: int = 100 * MIB,
    first_seed: int = 0,
    values: dict[str, float] | None = None,
    **fields: Any,  # noqa: ANN401
) -> list[RunRecord]:
    """A run for each accuracy, seeds counted up, of one process."""
    records = [
        make_record(
            model,
            first_seed + place,
            values=make_values(accuracy, seconds[place % len(seconds)], 7_850, memory)
            | (values or {}),
            **fields,
        )
        for place, accuracy in enumerate(accuracies)
    ]
    return [with_measured(records[0], "data_load_time", "s", 0.1), *records[1:]]


def found(comparison: Comparison, check: Check, quantity: str = "") -> Finding:
    (finding,) = [
        finding
        for finding in comparison.findings
        if finding.check == check and quantity in finding.quantity
    ]
    return finding


def outcomes(comparison: Comparison) -> set[str]:
    return {finding.outcome for finding in comparison.findings}


def without(record: RunRecord, quantity: str, reason: str = "no counter") -> RunRecord:
    """The record, which does not know that quantity."""
    measured = {name: m for name, m in record.measurements.items() if name != quantity}
    return replace(record, measurements=measured, missing={quantity: reason})
