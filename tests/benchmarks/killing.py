"""Kills processes of a sweep, and tells whether what it left is what an undisturbed one leaves."""

import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from results import RecordError, RunRecord, RunStore
from tests.command_line import Running, processes_with

PARENT, GROUP, CHILD, SERVER = "parent", "process group", "child at work", "fork server"
VICTIMS = (PARENT, GROUP, CHILD, SERVER)
QUALITY = ("test_accuracy", "test_loss", "train_accuracy", "train_loss", "steps", "images_seen")
ARRAYS = ("loss", "learning_rate")
Run = tuple[str, int]
"""Configuration and seed."""


def kill(running: Running, victim: str) -> bool:
    """Sends SIGKILL; False where there is no such process at this moment."""
    if running.process.poll() is not None:
        return False
    if victim in {PARENT, GROUP}:
        running.signal(signal.SIGKILL, group=victim == GROUP)
        return True
    servers = [pid for pid in _children(running, running.process.pid) if _is_server(pid)]
    targets = servers if victim == SERVER else [p for s in servers for p in _children(running, s)]
    for pid in targets[:1]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
    return bool(targets)


def ok_records(store: RunStore, say: list[str]) -> dict[Run, RunRecord]:
    """What ended well, by configuration and seed."""
    records = store.read(say.append)
    return {(r.config_id, r.spec["seed"]): r for r in records if r.status == "ok"}


def count_torn(store: RunStore) -> int:
    """Lines that are no whole record."""
    said: list[str] = []
    store.read(said.append)
    return len(said)


def problems_of(store: RunStore, wanted: RunStore) -> dict[str, list[str]]:
    """What is wrong with a sweep that was killed and resumed: lost, duplicated, differing, left."""
    found = {"lost": [], "duplicated": [], "differing": [], "left": []}  # type: dict[str, list[str]]
    good = [record for record in store.read() if record.status == "ok"]
    counts = Counter((record.config_id, record.spec["seed"]) for record in good)
    expected = ok_records(wanted, [])
    found["lost"] = [f"{run}" for run in expected if run not in counts]
    found["duplicated"] = [f"{run}: {count}" for run, count in counts.items() if count > 1]
    for record in good:
        run = (record.config_id, record.spec["seed"])
        if run not in expected:
            found["differing"].append(f"{run} was not asked for")
        else:
            found["differing"] += [
                f"{run}: {what}" for what in _differences(store, record, wanted, expected[run])
            ]
    found["left"] = [str(path) for path in sorted(store.folder.rglob(".*"))]
    return found


def num_orphans(store: RunStore) -> int:
    """Samples without a record: their writer was killed between the two."""
    ids = {record.record_id for record in store.read()}
    return sum(path.stem not in ids for path in (store.folder / "samples").glob("*.npz"))


def num_gone_on(store: RunStore) -> int:
    """Trainings that went on from a saved model instead of beginning anew."""
    return sum("resumed" in record.flags for record in store.read() if record.status == "ok")


def _differences(
    store: RunStore, record: RunRecord, other_store: RunStore, other: RunRecord
) -> list[str]:
    one, two = _timeless(record), _timeless(other)
    differing = [name for name in one if one[name] != two[name]]
    try:
        arrays, others = store.load_samples(record), other_store.load_samples(other)
    except RecordError as error:
        return [*differing, str(error)]
    same = [name for name in ARRAYS if np.array_equal(arrays[name], others[name])]
    return [*differing, *(f"samples {name}" for name in ARRAYS if name not in same)]


def _timeless(record: RunRecord) -> dict[str, Any]:
    """What a deterministic run has alike each time, to the bit."""
    record = replace(record, curve=[point[1:] for point in record.curve or []])
    values = {name: record.measurements[name].values for name in QUALITY}
    kept = ("spec", "environment", "confusion", "curve")
    return values | {name: getattr(record, name) for name in kept}


def _children(running: Running, parent: int) -> list[int]:
    return [pid for pid in processes_with(running.mark) if _parent_of(pid) == parent]


def _parent_of(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


def _is_server(pid: int) -> bool:
    try:
        return b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
