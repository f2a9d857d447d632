"""A store on a disk that refuses, under a lock, or taken away: nobody's line is harmed."""

import errno
import fcntl
import os
import resource
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from results import RecordError, RunStore, read_records
from results.records import appending
from results.records.appending import open_lines
from tests.command_line import LIMIT_S
from tests.results.records_by_hand import make_record

SAMPLES = {"loss": np.arange(3.0)}


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "run")


@contextmanager
def files_end_at(num_bytes: int) -> Iterator[None]:
    """No file grows beyond this, as on a disk that is full: a write is cut short there."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def no_locks(_descriptor: int, _operation: int) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def test_what_a_full_disk_took_of_a_line_is_taken_back(store: RunStore) -> None:
    whole = store.append(make_record(seed=0))
    before = store.path.read_bytes()
    with files_end_at(len(before) + 100), pytest.raises(RecordError, match="is the disk full"):
        store.append(make_record(seed=1))
    assert store.path.read_bytes() == before
    assert store.read() == [whole]


def test_where_a_file_system_knows_no_locks_it_stays_and_is_sealed(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", no_locks)
    whole = store.append(make_record(seed=0))
    size = store.path.stat().st_size
    with files_end_at(size + 100), pytest.raises(RecordError, match="is the disk full"):
        store.append(make_record(seed=1))
    assert store.path.stat().st_size == size + 100  # another writer may have gone on after it
    last = store.append(make_record(seed=2))
    assert read_records(store.folder) == [whole, last]
    assert store.path.read_bytes().count(b"#torn\n") == 1


def test_another_kind_of_failure_of_the_lock_is_told(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(RecordError, match=r"cannot write to .*: Input/output error"):
        store.append(make_record())


def append(path: Path, line: bytes) -> None:
    with open_lines(path) as lines:
        lines.append(line)


def test_the_half_written_line_of_a_live_writer_is_not_sealed(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with path.open("ab", buffering=0) as slow:
        fcntl.flock(slow, fcntl.LOCK_EX)
        slow.write(b"half a li")
        other = threading.Thread(target=append, args=(path, b"another\n"))
        other.start()
        other.join(0.1)  # without the lock it would be through by now
        assert other.is_alive()
        slow.write(b"ne\n")
    other.join(LIMIT_S)
    assert path.read_bytes() == b"half a line\nanother\n"


def test_samples_that_no_record_names_are_removed(store: RunStore) -> None:
    store.append(make_record(seed=0), SAMPLES)
    size = store.path.stat().st_size
    with files_end_at(size + 100), pytest.raises(RecordError):
        store.append(make_record(seed=1), SAMPLES)
    assert len(list((store.folder / "samples").iterdir())) == 1


def test_samples_without_room_leave_nothing(store: RunStore) -> None:
    noise = {"loss": np.frombuffer(os.urandom(8000))}
    with files_end_at(4000), pytest.raises(RecordError, match=r"cannot write to .*File too large"):
        store.append(make_record(), noise)
    assert list((store.folder / "samples").iterdir()) == []
    assert store.read() == []


def test_what_a_killed_writer_left_of_its_samples_is_removed_by_the_next(store: RunStore) -> None:
    store.append(make_record(seed=0), SAMPLES)
    stale = store.folder / "samples" / f".{'0' * 16}.1.tmp"
    stale.write_bytes(b"half")
    store.append(make_record(seed=1), SAMPLES)
    assert not stale.exists()
    assert len(list((store.folder / "samples").iterdir())) == 2


def test_a_folder_that_was_removed_is_not_begun_anew(store: RunStore) -> None:
    store.append(make_record(seed=0))
    shutil.rmtree(store.folder)
    with pytest.raises(RecordError, match="removed or replaced, and 1 record with it"):
        store.append(make_record(seed=1))
    assert not store.folder.exists()


@pytest.mark.parametrize("content", [b"", b"#torn\n"])
def test_records_that_were_replaced_are_missed(store: RunStore, content: bytes) -> None:
    for seed in range(2):
        store.append(make_record(seed=seed))
    again = RunStore(store.folder)
    again.read()  # as where a sweep is resumed
    store.path.write_bytes(content)
    with pytest.raises(RecordError, match="removed or replaced, and 2 records with it"):
        again.append(make_record(seed=2))
    assert store.path.read_bytes() == content


def test_a_file_put_in_its_place_that_holds_the_records_serves_as_well(store: RunStore) -> None:
    first = store.append(make_record(seed=0))
    edited = store.folder / "edited"  # as an editor writes it
    edited.write_bytes(store.path.read_bytes())
    edited.replace(store.path)
    second = store.append(make_record(seed=1))
    assert store.read() == [first, second]


def test_a_record_that_was_brought_back_twice_is_read_once(store: RunStore) -> None:
    record = store.append(make_record())
    store.path.write_bytes(store.path.read_bytes() * 2)
    assert store.read() == [record]


def test_a_line_that_the_disk_does_not_keep_is_taken_back_with_its_samples(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = store.append(make_record(seed=0), SAMPLES)
    sync = os.fsync

    def full(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), store.path.stat()):
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordError, match="Disk quota exceeded"):
        store.append(make_record(seed=1), SAMPLES)
    assert store.read() == [whole]
    assert len(list((store.folder / "samples").iterdir())) == 1


def test_a_folder_that_cannot_be_synchronised_takes_records(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    whole = store.append(make_record(), SAMPLES)
    assert store.read() == [whole]


def test_a_lock_that_is_never_given_back_is_not_waited_for_for_ever(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(make_record(seed=0))
    monkeypatch.setattr(appending, "LOCK_PATIENCE_S", 0.05)
    with store.path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(RecordError, match="another process keeps it locked"):
            store.append(make_record(seed=1))
    store.append(make_record(seed=1))
