"""The tables of the report: the comparison, the list of records, and what all runs share."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from results.records.record import RunRecord
from results.records.store import RECORDS_FILE
from results.render.columns import UNKNOWN, Column, failure_text, model_column, value_columns
from results.report.material import Material, Series
from results.report.page import Cell, Table
from results.rows.settings import settings_in
from results.rows.summary import commit_of
from results.text import distinct, format_seconds

MAX_RECORDS = 500  # of the list; a page is read by a person
EXPLANATIONS = {  # of headings, for whoever points at them
    "accuracy %": "on the test images, mean over the seeds; ± the 95 % interval of the mean",
    "loss": "cross-entropy on the test images",
    "train time": "permutation, augmentation and every step; nothing else",
    "images/s": "training images a second",
    "memory": "peak of training",
    "params": "parameters",
    "to 90 %": "training time until validation accuracy first reached 90 %",
    "acc/s": "accuracy a second of training; flatters tiny models",
    "epoch time": "seconds of an epoch of training",
    "compile": "warm-up of the plan, compilation included",
    "of floor": "share of the speed that this machine's ceilings would allow, and what binds",
}
RECORD_HEADERS = (
    ("record", "its line in the file of records", False),
    ("model", "row that it belongs to", False),
    ("seed", "of weights, data order, augmentation and dropout", True),
    ("status", "how the run ended, and why", False),
    ("test accuracy", "fraction of the test images", True),
    ("training time", "seconds on the training clock", True),
    ("commit", "of the harness; + where the work tree was changed", False),
    ("ended", "UTC", False),
    ("samples", "raw arrays: losses, step times, predictions", False),
)


def comparison_table(series: Sequence[Series]) -> Table:
    """The table of `fmnist-bench table` with all of its columns."""
    rows = [one.row for one in series]
    columns = [model_column(rows), *value_columns(rows)]
    headers = tuple(
        (column.header, EXPLANATIONS.get(column.header, column.header), column.align == "right")
        for column in columns
    )
    return Table(
        headers, tuple((one.label, _cells(columns, k, one)) for k, one in enumerate(series))
    )


def _cells(columns: Sequence[Column], index: int, series: Series) -> tuple[Cell, ...]:
    names, *rest = columns
    found = [Cell(names.cells[index], names.cells[index])]
    if not series.is_ok:
        num_settings = len(settings_in(series.row))  # their columns come first
        settings = [Cell(column.cells[index]) for column in rest[:num_settings]]
        blank = [Cell("")] * (len(rest) - num_settings - 1)
        return (*found, *settings, *blank, Cell(failure_text(series.row)))
    for column in rest:
        text = column.cells[index].strip()
        word = None if text in {"", UNKNOWN} else text
        key = column.values[index] if column.values else word
        found.append(Cell(text, key, column.is_best[index]))
    return tuple(found)


def records_table(material: Material, out: Path) -> Table:
    """Every record behind the page, with links relative to where the page is written."""
    entries = [(one.label, record) for one in material.series for record in one.summary.records]
    entries += [(f"{rung.spec['model']}, {rung.spec['plan']}", rung) for rung in material.rungs]
    rows = [
        (label, _record_cells(label, record, material.sources[record.record_id], out))
        for label, record in entries[:MAX_RECORDS]
    ]
    return Table(RECORD_HEADERS, tuple(rows))


def _record_cells(label: str, record: RunRecord, source: Path, out: Path) -> tuple[Cell, ...]:
    accuracy, seconds = record.value("test_accuracy"), record.value("train_time")
    status = f"{record.status}: {record.reason}" if record.reason else record.status
    ended = str(record.provenance.get("time_utc") or "-")
    lines = source / RECORDS_FILE if source.is_dir() else source
    # no path is taken from a record: its id is checked to be one
    samples = lines.parent / "samples" / f"{record.record_id}.npz"
    has_samples = record.samples is not None and samples.exists()
    return (
        Cell(record.record_id, record.record_id, link=_link(lines, out)),
        Cell(label, label),
        Cell(str(record.spec["seed"]), record.spec["seed"]),
        Cell(status, status),
        Cell("-" if accuracy is None else f"{accuracy:.4f}", accuracy),
        Cell("-" if seconds is None else format_seconds(seconds), seconds),
        Cell(commit_of(record), commit_of(record)),
        Cell(ended.replace("+00:00", "").replace("T", " "), ended),
        Cell("npz", "npz", link=_link(samples, out)) if has_samples else Cell("-"),
    )


def _link(path: Path, out: Path) -> str:
    return quote(Path(os.path.relpath(path, out.parent)).as_posix())


def facts(material: Material) -> tuple[tuple[str, str], ...]:
    """What the runs share: budget, recipe, machine, versions, data, commits; differing, all."""
    records = [*material.records, *material.rungs]
    names = dict.fromkeys(name for record in records for name in record.environment)
    found: dict[str, Iterable[Any]] = {
        "budget": (record.spec["budget"] for record in records),
        "recipe": (record.spec["recipe"]["name"] for record in records),
        "precision": (record.spec["precision"] for record in records),
        "evaluated on": (record.spec["evaluation_split"] for record in records),
        "seeds": sorted(record.spec["seed"] for record in records),
        "plans": (record.spec["plan"] for record in records),
        "folders": map(str, material.folders),
        **{name.replace("_", " "): [r.environment.get(name) for r in records] for name in names},
        "commits": map(commit_of, records),
        "harness": (record.provenance.get("harness_version") for record in records),
    }
    texts = ((name, " / ".join(distinct(values))) for name, values in found.items())
    return tuple((name, text) for name, text in texts if text)


def count_records(material: Material) -> str:
    """How many records the page was made of, and when the newest of them ended."""
    records = [*material.records, *material.rungs]
    newest = max((str(r.provenance.get("time_utc") or "") for r in records), default="")
    listed = f"; the first {MAX_RECORDS} are listed" if len(records) > MAX_RECORDS else ""
    return f"{len(records)} records{', the newest of ' + newest if newest else ''}{listed}"
