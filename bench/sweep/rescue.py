"""Rescue the results that their store refuses, as on a full disk."""

import secrets
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.run.record import RunResult, shortened
from bench.shell import say
from bench.workers.interruption import Interruption
from results import RecordError, RunRecord, RunStore
from results.text import plural


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


def store_or_refuse(
    store: RunStore, results: Sequence[RunResult], done: Callable[[RunRecord], None]
) -> None:
    """Append results to the store, and report each record as written.

    Raises:
        Refused: the store takes no more; holds the results that are not in it.
    """
    for number, result in enumerate(results):
        try:
            written = store.append(result.record, result.samples or None)
        except RecordError as error:
            raise Refused(str(error), results[number:]) from error
        done(written)


@dataclass(frozen=True)
class Ended:
    """The records of a sweep, however it ended, and the folders that hold them."""

    records: list[RunRecord]
    folders: list[Path]
    exit_code: int | None  # 1 where the store refused, 128 + signal after one, else None


def run_and_rescue(
    work: Callable[[Callable[[RunRecord], None]], Interruption],
    store: RunStore,
    read: Callable[[], list[RunRecord]],
) -> Ended:
    """Run a sweep; where its store refuses, save the results elsewhere.

    `work` runs it and reports each new record; `read` gives those of this sweep in the store.
    """
    recorded = read()
    try:
        interruption = work(recorded.append)
        try:
            found = read()
        except RecordError as error:
            raise Refused(str(error)) from error
        if {r.record_id for r in recorded} - {r.record_id for r in found}:
            raise Refused(f"{store.path} was removed or replaced")
        return Ended(found, [store.folder], interruption.exit_code)
    except Refused as refused:
        return _rescue(store, recorded, refused)


def _rescue(store: RunStore, recorded: Sequence[RunRecord], refused: Refused) -> Ended:
    """Save elsewhere what the store does not hold; say what happened and how to go on."""
    say(f"{refused.reason}: the sweep ends here; mend that, then go on with --resume")
    kept = _kept_ids(store)
    gone = [record for record in recorded if record.record_id not in kept]
    shelter = RunStore(_new_shelter())
    records = {record.record_id: record for record in recorded}
    for result in [*(_with_its_samples(store, record) for record in gone), *refused.results]:
        # what was removed is not made anew: the folder may be that of a disk that comes back
        record = _saved(result, shelter, None if gone else store)
        records[record.record_id] = record
    stores = [place for place in (store, shelter) if _kept_ids(place)]
    if shelter not in stores:  # what a disk without room left of trying
        shutil.rmtree(shelter.folder, ignore_errors=True)
    else:
        say(_how_to_bring_back(shelter, store.folder))
    return Ended(list(records.values()), [place.folder for place in stores], exit_code=1)


def _new_shelter() -> Path:
    try:
        parent = Path(tempfile.gettempdir())
    except FileNotFoundError:  # no folder for temporary files takes one; say so when it is tried
        parent = Path("/tmp")
    return parent / f"fmnist-bench-rescued-{secrets.token_hex(4)}"


def _kept_ids(store: RunStore) -> set[str]:
    try:
        return {record.record_id for record in store.read()}
    except RecordError:  # damaged, or a disk that is gone: nothing in it can be counted on
        return set()


def _with_its_samples(store: RunStore, record: RunRecord) -> RunResult:
    """Return a record that is gone, with its samples where they are still there."""
    try:
        return RunResult(record, store.load_samples(record))
    except (RecordError, OSError):
        return RunResult(without_samples(record, "lost with the folder that held them"))


def _saved(result: RunResult, shelter: RunStore, store: RunStore | None) -> RunRecord:
    """Write a result where there is room, at the worst without samples, or as text on stderr."""
    bare = without_samples(result.record, "there was no room for them") if result.samples else None
    tries = [(shelter, result.record, result.samples), (store, bare, {}), (shelter, bare, {})]
    for place, record, samples in tries:
        if place is not None and record is not None:
            with suppress(RecordError):
                written = place.append(record, samples or None)
                if record is bare:
                    say(f"record {written.record_id} is kept without its samples: no room for them")
                return written
    last = bare or result.record
    say("there is no room for this record anywhere; add the next line to records.jsonl yourself:")
    say(last.to_json_line().decode().rstrip())
    return last


def without_samples(record: RunRecord, reason: str) -> RunRecord:
    """Take a record's samples out, and give the reason."""
    return shortened(replace(record, samples=None, missing=record.missing | {"samples": reason}))


def _how_to_bring_back(shelter: RunStore, folder: Path) -> str:
    from_, to = shlex.quote(str(shelter.folder)), shlex.quote(str(folder))
    count = len(_kept_ids(shelter))
    records = f"{plural(count, 'record')} {'is' if count == 1 else 'are'}"
    samples = f"cp -r {from_}/samples {to} && " if (shelter.folder / "samples").is_dir() else ""
    command = f"mkdir -p {to} && {samples}cat {from_}/records.jsonl >> {to}/records.jsonl"
    return (
        f"{records} safe in {shelter.folder}; before --resume, bring back what is there: {command}"
    )
