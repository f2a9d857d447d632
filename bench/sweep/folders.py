"""Folders of runs: which there are, whether one takes records, and of which sweep they are."""

import contextlib
import itertools
import os
import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from results import RecordError, RunStore

ROOM_BYTES = 2**18  # some records and their samples
RUNS = Path("results/runs")


def named_or_newest(run_dirs: Sequence[Path] | None) -> Sequence[Path]:
    """Return the named folders, or the folder of the newest run.

    Raises:
        RecordError: none is named, and there is no run.
    """
    from results.records.store import newest_run

    newest = newest_run(RUNS)
    folders = run_dirs or ([newest] if newest else [])
    if not folders:
        raise RecordError(f"no run in {RUNS}; make one with `fmnist-bench run`, or name a folder")
    return folders


def new_folder(parent: Path) -> Path:
    """Make a folder named by the time; two runs that begin at once get two folders."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")  # local time: a person looks for it
    for count in itertools.count():
        folder = parent / (f"{stamp}-{count}" if count else stamp)
        with contextlib.suppress(FileExistsError):
            make_folder(folder, exist_ok=False)
            break
    return folder


def make_folder(folder: Path, *, exist_ok: bool = True) -> None:
    """Make a folder.

    Raises:
        UsageError: it cannot be made.
        FileExistsError: it exists, and that is not OK.
    """
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        if isinstance(error, FileExistsError) and not exist_ok:
            raise
        raise UsageError(f"cannot write to --out {folder}: {error.strerror}") from None


def check_takes_records(folder: Path) -> None:
    """Write a file into the folder and remove it, and whatever was made for that.

    Raises:
        UsageError: the folder takes no file: read-only, full, not ours, or no folder.
    """
    missing: list[Path] = []
    try:
        missing += [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(os.urandom(ROOM_BYTES))
            probe.flush()
            os.fsync(probe.fileno())  # some disks tell only then that they are full
    except OSError as error:
        raise UsageError(
            f"cannot write to --out {folder}: {error.strerror}; free space there, or name another"
        ) from None
    finally:
        for place in missing:  # from the inside out; one that somebody else has filled stays
            with contextlib.suppress(OSError):
                place.rmdir()


def check_same(
    store: RunStore, environment: dict[str, Any], configurations: Iterable[tuple[str, str]]
) -> None:
    """Refuse to mix a sweep of these (model, config_id) into the records of another.

    Raises:
        UsageError: the store was begun in another environment, or holds one of the models under
            other configurations.
    """
    records, wanted = store.read(), set(configurations)
    for key in sorted({key for r in records for key in r.environment} | set(environment)):
        if any(r.environment.get(key) != environment.get(key) for r in records):
            raise UsageError(
                f"{store.folder} was begun with another {key} than {environment.get(key)}; "
                "resume where it was begun, or name another --out"
            )
    stored = {(r.spec["model"], r.config_id) for r in records}
    for model in {model for model, _ in wanted} & {model for model, _ in stored - wanted}:
        texts = " or with another text of its file" if ".py:" in model else ""
        raise UsageError(
            f"{store.folder} holds {model} under another specification{texts}; "
            "resume with what it was begun with, or name another --out"
        )
