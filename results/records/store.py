"""The append-only store: records.jsonl, and samples/<record_id>.npz beside it.

A record is one line, written by one write under a lock on the file, so that several writers keep
each other's lines whole. A line that a crash cut short stays: the next writer *seals* it with
TORN_MARK and goes on in a new line. A reader reports and skips a line that is sealed, or that is
the last and has no newline; any other line that is no record is an error. A sealed line that is
whole but for its newline is a record like any other, so nothing once written is lost.
"""

import codecs
import contextlib
import dataclasses
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import RecordError
from results.records.appending import TORN_MARK, LineFile, open_lines, sync_folder, write_whole
from results.records.record import NoJson, RunRecord
from results.text import one_line, plural

if TYPE_CHECKING:
    import numpy as np

RECORDS_FILE = "records.jsonl"
SAMPLES_FOLDER = "samples"
MAX_SAMPLES_BYTES = 2 * 2**30  # unpacked: a training of a hundred million steps has half of that
MAX_SAID_CHARS = 200


class RunStore:
    """The records of one run folder; the folder comes into being with its first record."""

    def __init__(self, folder: Path | str) -> None:
        """Name the folder; touch nothing."""
        self.folder = Path(folder)
        self.path = self.folder / RECORDS_FILE
        self._known: set[str] = set()  # records that were read or written here
        self._seen: tuple[int, ...] | None = None  # the file as it was then

    def append(self, record: RunRecord, samples: Mapping[str, Any] | None = None) -> RunRecord:
        """Write a record durably, its samples (name to array) first, and return what was written.

        Raises:
            RecordError: It is too large, the disk refused it, or records that were read or written
                here before are gone from the file. Nothing of it is left behind then.
        """
        packed = _packed(samples) if samples else None
        if packed is not None:
            file = f"{SAMPLES_FOLDER}/{record.record_id}.npz"
            place = {"file": file, "sha256": hashlib.sha256(packed).hexdigest()}
            record = dataclasses.replace(record, samples=place)
        line = record.to_json_line()
        try:
            self._check_kept()
            self.folder.mkdir(parents=True, exist_ok=True)
            with open_lines(self.path) as lines:
                self._write(record, packed, lines, line)
            self._remember([record.record_id])
        except OSError as error:
            raise RecordError(f"cannot write to {self.folder}: {error.strerror}") from error
        return record

    def read(self, say: Callable[[str], None] | None = None) -> list[RunRecord]:
        """The records so far, each once; none where nothing was written yet (for resuming)."""
        try:
            records = _read_files([self.path] if _identity(self.path) else [], say)
            self._remember(records)
        except OSError as error:
            raise RecordError(f"cannot read {self.path}: {error.strerror}") from error
        return list(records.values())

    def _write(self, record: RunRecord, packed: bytes | None, lines: LineFile, line: bytes) -> None:
        if packed is not None:
            self._write_samples(record, packed, is_alone=lines.is_locked)
        before = lines.num_bytes()
        try:
            lines.append(line)
        except OSError:
            if packed is not None and lines.num_bytes() == before:  # no record names them
                with contextlib.suppress(OSError):
                    self._samples_path(record).unlink(missing_ok=True)
            raise

    def _remember(self, record_ids: Iterable[str]) -> None:
        self._known.update(record_ids)
        self._seen = _identity(self.path)

    def _check_kept(self) -> None:
        """Refuse to go on in a file that has lost what it held: to do so would hide the loss."""
        seen, now = self._seen, _identity(self.path)
        has_grown = seen and now and now[:2] == seen[:2] and now[2] >= seen[2]
        if not self._known or has_grown:
            return
        kept = _read_files([self.path]) if now else {}
        if num_gone := len(self._known - kept.keys()):
            gone = plural(num_gone, "record")
            raise RecordError(f"{self.path} was removed or replaced, and {gone} with it")

    def load_samples(self, record: RunRecord) -> dict[str, "np.ndarray[Any, Any]"]:
        """The arrays of a record's samples file; none where the record has no samples.

        Raises:
            RecordError: The file is gone, is not the one the record was written with, or holds
                no plain arrays.
        """
        import numpy as np  # reading records needs none

        if record.samples is None:
            return {}
        path = self._samples_path(record)
        if not path.exists() or _sha256(path) != record.samples["sha256"]:
            raise RecordError(f"{path} is missing or was changed; run that configuration again")
        try:
            with path.open("rb") as file, np.load(file) as arrays:  # numpy leaves its own open
                if sum(member.file_size for member in arrays.zip.infolist()) > MAX_SAMPLES_BYTES:
                    raise ValueError("it would take gigabytes")
                found = dict(arrays)
        except Exception as error:  # a dozen kinds, of zipfile, tokenizer and memory among them
            said = one_line(str(error))[:MAX_SAID_CHARS]
            raise RecordError(f"{path} is no file of plain arrays: {said}") from error
        if not all(isinstance(array, np.ndarray) for array in found.values()):
            raise RecordError(f"{path} is no file of plain arrays: a member is none")
        return found

    def _samples_path(self, record: RunRecord) -> Path:
        return self.folder / SAMPLES_FOLDER / f"{record.record_id}.npz"

    def _write_samples(self, record: RunRecord, packed: bytes, *, is_alone: bool) -> None:
        path = self._samples_path(record)
        path.parent.mkdir(exist_ok=True)
        if is_alone:  # then these are of writers that were killed
            for stale in path.parent.glob(".*.tmp"):
                stale.unlink(missing_ok=True)
        write_whole(path, packed)
        sync_folder(path.parent)


def read_records(*paths: Path | str, say: Callable[[str], None] | None = None) -> list[RunRecord]:
    """Read the records of run folders (or of records.jsonl files), each record once.

    `say` is told of every line that a crash cut short.

    Raises:
        RecordError: A path has no records file, or a line is no record.
    """
    return list(_read_files([_records_file(Path(path)) for path in paths], say).values())


def newest_run(runs_folder: Path | str) -> Path | None:
    """The run folder written to last, or None where there is no run."""
    files = list(Path(runs_folder).glob(f"*/{RECORDS_FILE}"))
    return max(files, key=lambda path: path.stat().st_mtime_ns).parent if files else None


def _records_file(path: Path) -> Path:
    file = path / RECORDS_FILE if path.is_dir() else path
    if not file.is_file():
        remedy = "name a run folder, or make one with `fmnist-bench run --out DIR`"
        raise RecordError(f"no records in {path} (no {RECORDS_FILE}); {remedy}")
    return file


def _packed(samples: Mapping[str, Any]) -> bytes:
    import numpy as np  # reading records needs none

    stream = io.BytesIO()
    np.savez_compressed(stream, **samples)
    return stream.getvalue()


def _identity(path: Path) -> tuple[int, ...] | None:
    """Device, number and bytes of a file; None where there is none."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino, status.st_size


def _read_files(
    files: Iterable[Path], say: Callable[[str], None] | None = None
) -> dict[str, RunRecord]:
    """The records of files by their ids, each once."""
    records: dict[str, RunRecord] = {}
    for path in files:
        try:
            with path.open("rb") as file:  # line by line: a store may be larger than its records
                for number, line in enumerate(file, start=1):
                    if record := _parse_line(line, f"{path}, line {number}", say):
                        records.setdefault(record.record_id, record)
        except OSError as error:
            raise RecordError(f"cannot read {path}: {error.strerror}") from error
    return records


def _parse_line(line: bytes, place: str, say: Callable[[str], None] | None) -> RunRecord | None:
    body = line.removesuffix(b"\n")
    content = body.removesuffix(TORN_MARK).removeprefix(codecs.BOM_UTF8).strip()  # of Windows
    try:
        return RunRecord.from_json_line(content) if content else None
    except RecordError as error:
        is_cut = not line.endswith(b"\n") or body.endswith(TORN_MARK)
        if not (is_cut and isinstance(error, NoJson)):  # no start of an object is JSON
            raise RecordError(f"{place}: {error}") from error
        if say:
            say(f"{place}: skipped a record that was cut short while it was written")
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
