"""What becomes of results that their store refuses, as on a full disk: none of them is lost."""

import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.runner import RunResult, shortened

if TYPE_CHECKING:
    from results import RunRecord, RunStore

NO_SAMPLES = "there was no room for them when the record was written"


class Refused(Exception):  # noqa: N818 - it is what the store has done
    """The store takes no more, so that the sweep ends here.

    Attributes:
        reason: one line.
        results: what was measured and is not in the store.
    """

    def __init__(self, reason: str, results: Iterable[RunResult] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.results = tuple(results)


def store_or_refuse(store: "RunStore", results: Sequence[RunResult]) -> "list[RunRecord]":
    """Appends results, and gives their records as they were written.

    Raises:
        Refused: with all that is not in the store.
    """
    from results import RecordError

    written: list[RunRecord] = []
    for result in results:
        try:
            written.append(store.append(result.record, result.samples or None))
        except RecordError as error:
            raise Refused(str(error), results[len(written) :]) from error
    return written


def rescue(
    store: "RunStore",
    recorded: "Sequence[RunRecord]",
    refused: Refused,
    say: Callable[[str], None],
) -> "tuple[list[RunRecord], list[Path]]":
    """Brings to safety what the store does not hold, and says where it is and how to go on.

    Args:
        store: that refused.
        recorded: what it is known to have held, or to hold still.
        refused: why, and what it was given last.
        say: is told, a line each.

    Returns:
        All records, and the folders that hold them.
    """
    gone = _gone(store, recorded)
    lost = [_with_its_samples(store, record) for record in gone] + list(refused.results)
    say(f"{refused.reason}: the sweep ends here, with what is measured")
    place = _Place()
    records = {record.record_id: record for record in recorded}
    for result in lost:
        record = _saved(result, place, store, may_use_store=not gone)
        records[record.record_id] = record
    has_moved = place.store is not None
    folders = [store.folder] if len(gone) < len(recorded) or not has_moved else []
    if place.store is not None:
        folders.append(place.store.folder)
        say(_how_to_bring_back(place.store.folder, store.folder, place.num_records))
    say(f"remedy: make room, then go on with the same command and --resume --out {store.folder}")
    return list(records.values()), folders


class _Place:
    """A run folder of its own among the temporary files, made when it is needed."""

    def __init__(self) -> None:
        self.store: RunStore | None = None
        self.num_records = 0

    def take(self, record: "RunRecord", samples: dict[str, Any] | None) -> "RunRecord":
        """Writes a record there.

        Raises:
            RecordError: there is no room either.
        """
        from results import RecordError, RunStore

        try:
            folder = self.store or Path(tempfile.mkdtemp(prefix="fmnist-bench-rescued-"))
        except OSError as error:
            raise RecordError(f"no temporary folder: {error.strerror}") from error
        self.store = folder if isinstance(folder, RunStore) else RunStore(folder)
        written = self.store.append(record, samples)
        self.num_records += 1
        return written
