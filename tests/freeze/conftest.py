"""The command line in this process, in a folder with the published records and some worse ones."""

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import REPOSITORY, Finished, call

TABLES = REPOSITORY / "results" / "tables"
TIMES = ("train_time", "epoch_time", "step_time_p50", "step_time_p95", "cold_total")

Record = dict[str, Any]


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file of `results/tables`, and some that are made of them.

    few.jsonl has the first three models of cpu-default-30s. The others are cpu-default-3epochs at
    another commit: worse.jsonl in every way that can be, slower.jsonl by less than is sure between
    two processes, crashed.jsonl with no numbers. They are made as JSON: whatever becomes of the
    classes that read them, these stay what they are.
    """
    folder = tmp_path_factory.mktemp("records")
    for path in TABLES.glob("*.jsonl"):
        shutil.copy(path, folder)
    few = (TABLES / "cpu-default-30s.jsonl").read_bytes().splitlines(keepends=True)[:3]
    (folder / "few.jsonl").write_bytes(b"".join(few))
    for name, change in (("worse", _worse), ("slower", _slower), ("crashed", _crashed)):
        lines = (json.dumps(change(record)) + "\n" for record in _at_another_commit())
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def _at_another_commit() -> Iterator[Record]:
    later = {"commit": "f" * 40, "time_utc": "2026-11-24T08:00:00+00:00"}
    for line in (TABLES / "cpu-default-3epochs.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        yield record | {
            "record_id": record["record_id"][::-1],
            "samples": None,  # their file is named after the record
            "provenance": record["provenance"] | later,
        }


def _worse(record: Record) -> Record:
    """ResNet-8 is slower, V2 less accurate, FashionCNN larger and dearer, and V1 crashes."""
    model = record["spec"]["model"]
    if model == "resnet8":
        return _times(record, 4.0)
    if model == "v2":
        return _scaled(record, "test_accuracy", 0.95)
    if model == "fashion_cnn":
        return _scaled(_scaled(record, "peak_memory", 1.5), "flops_per_image", 1.5)
    return _crashed(record)


def _slower(record: Record) -> Record:
    return _times(record, 1.5)


def _crashed(record: Record) -> Record:
    return record | {"status": "crashed", "reason": "signal 11"}


def _times(record: Record, factor: float) -> Record:
    for quantity in TIMES:
        record = _scaled(record, quantity, factor)
    return _scaled(record, "throughput", 1 / factor)


def _scaled(record: Record, quantity: str, factor: float) -> Record:
    if measured := record["measurements"].get(quantity):  # only a first seed starts cold
        measured["values"] = [value * factor for value in measured["values"]]
    return record


@pytest.fixture
def say(
    records: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., Finished]:
    """Calls a command in the folder of records, without data set, terminal or GitHub."""
    monkeypatch.chdir(records)
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return partial(call, monkeypatch, capfd, tmp_path)
