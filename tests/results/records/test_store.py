"""The append-only store, with crashes, full disks, locks and files taken away."""

import errno
import fcntl
import os
import resource
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from results import RecordError, RunRecord, RunStore, read_records
from results.records import appending
from results.records.store import newest_run
from tests.results.records_by_hand import make_record

SAMPLES = {"loss": np.arange(3.0)}
FIRST, SECOND, THIRD = (make_record(seed=seed) for seed in range(3))


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs" / "first")


@pytest.fixture
def begun(store: RunStore) -> RunStore:
    """A store that holds the first record."""
    assert store.load_samples(store.append(FIRST)) == {}
    assert not (store.folder / "samples").exists()
    return store


def add_bytes(store: RunStore, content: bytes) -> None:
    with store.path.open("ab") as file:
        file.write(content)


def read(store: RunStore) -> tuple[list[RunRecord], int]:
    """The records, and how many lines were said to be cut short."""
    said: list[str] = []
    return read_records(store.folder, say=said.append), len(said)


def names_of_samples(store: RunStore) -> list[str]:
    return sorted(path.name for path in (store.folder / "samples").iterdir())


def test_what_was_appended_is_read_in_order_and_once(tmp_path: Path) -> None:
    first, second = RunStore(tmp_path / "a"), RunStore(tmp_path / "b")
    records = [first.append(FIRST), first.append(SECOND)]
    assert read_records(first.folder) == read_records(first.path) == first.read() == records
    other = second.append(THIRD)
    assert read_records(first.folder, second.folder, first.path) == [*records, other]
    first.path.write_bytes(first.path.read_bytes() * 2)  # as where records were brought back
    assert first.read() == records


def test_samples_come_back_and_are_named_with_their_hash(store: RunStore) -> None:
    steps = np.arange(1000, dtype=np.float32)
    record = store.append(make_record(), samples={"step_time_s": steps})
    name = f"{record.record_id}.npz"
    assert record.samples is not None
    assert record.samples["file"] == f"samples/{name}"
    assert np.array_equal(store.load_samples(read_records(store.folder)[0])["step_time_s"], steps)
    assert names_of_samples(store) == [name]
    (store.folder / "samples" / name).write_bytes(b"other")
    with pytest.raises(RecordError, match="missing or was changed"):
        store.load_samples(record)


def test_a_record_too_large_leaves_the_file_as_it_was(begun: RunStore) -> None:
    before = begun.path.read_bytes()
    with pytest.raises(RecordError, match="takes"):
        begun.append(make_record(conditions={"load": "x" * 5000}))
    assert begun.path.read_bytes() == before


def test_a_torn_last_line_is_reported_and_skipped(begun: RunStore) -> None:
    add_bytes(begun, SECOND.to_json_line()[:200])
    said: list[str] = []
    assert read_records(begun.folder, say=said.append) == [FIRST]
    assert said == [
        f"{begun.path}, line 2: skipped a record that was cut short while it was written"
    ]


@pytest.mark.parametrize(("num_bytes", "num_said"), [(1, 1), (40, 1), (333, 1), (-2, 1), (-1, 0)])
def test_a_writer_after_a_crash_loses_nothing(
    begun: RunStore, num_bytes: int, num_said: int
) -> None:
    add_bytes(begun, SECOND.to_json_line()[:num_bytes])
    kept = [FIRST] if num_said else [FIRST, SECOND]  # it lacks only its newline
    assert read(begun) == (kept, num_said)
    begun.append(THIRD)
    assert read(begun) == ([*kept, THIRD], num_said)


def test_a_seal_in_a_line_of_its_own_and_blank_lines_mean_nothing(begun: RunStore) -> None:
    add_bytes(begun, b"#torn\n\n")
    begun.append(SECOND)
    assert read(begun) == ([FIRST, SECOND], 0)


def test_a_byte_order_mark_before_a_line_means_nothing(begun: RunStore) -> None:
    """An editor on Windows puts one first; of files that `type` joined one stands in the midst."""
    lines = begun.path.read_bytes() + SECOND.to_json_line()
    begun.path.write_bytes(b"".join(b"\xef\xbb\xbf" + line for line in lines.splitlines(True)))
    assert read(begun) == ([FIRST, SECOND], 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [(b'{"schema_ver\n', "no "), (b"{}\n", "no "), (b"hello\n", "no "), (None, "written by")],
)
def test_a_bad_line_is_an_error_with_its_place(
    begun: RunStore, line: bytes | None, message: str
) -> None:
    if line is None:  # a newer record is refused even where a crash took its newline
        newer = SECOND.to_json_line().replace(b'_version":2', b'_version":9')
        add_bytes(begun, newer.removesuffix(b"\n"))
    else:
        add_bytes(begun, line)
        begun.append(THIRD)
    with pytest.raises(RecordError, match=rf"records.jsonl, line 2: {message}"):
        read_records(begun.folder)


def test_a_folder_without_records_or_for_none_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RecordError, match=r"no records in .*fmnist-bench run --out"):
            read_records(folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"cannot write to .*file/run"):
        RunStore(tmp_path / "file" / "run").append(make_record())


def test_an_empty_store_has_no_records(store: RunStore) -> None:
    assert store.read() == []
    store.folder.mkdir(parents=True)
    store.path.touch()
    assert read_records(store.folder) == []


def test_the_newest_run_is_the_one_written_to_last(tmp_path: Path) -> None:
    assert newest_run(tmp_path / "nowhere") is None
    for name, time_ns in (("a", 3), ("b", 9), ("c", 5)):
        store = RunStore(tmp_path / name)
        store.append(make_record())
        os.utime(store.path, ns=(time_ns, time_ns))
    (tmp_path / "d").mkdir()
    assert newest_run(tmp_path) == tmp_path / "b"


@contextmanager
def files_end_at(num_bytes: int) -> Iterator[None]:
    """No file grows beyond this, as on a disk that is full: a write is cut short there."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.mark.parametrize("samples", [None, SAMPLES])
def test_what_a_full_disk_took_of_a_line_is_taken_back_with_its_samples(
    store: RunStore, samples: dict[str, np.ndarray] | None
) -> None:
    whole = store.append(FIRST, SAMPLES)
    before = store.path.read_bytes()
    with files_end_at(len(before) + 100), pytest.raises(RecordError, match="is the disk full"):
        store.append(SECOND, samples)
    assert store.path.read_bytes() == before
    assert names_of_samples(store) == [f"{whole.record_id}.npz"]
    last = store.append(THIRD)
    assert store.read() == [whole, last]


def flock_that_fails(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(_descriptor: int, _operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", fail)


def test_where_a_file_system_knows_no_locks_it_stays_and_is_sealed(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock_that_fails(monkeypatch, errno.ENOLCK)
    store.append(FIRST)
    size = store.path.stat().st_size
    with files_end_at(size + 100), pytest.raises(RecordError, match="is the disk full"):
        store.append(SECOND)
    assert store.path.stat().st_size == size + 100  # another writer may have gone on after it
    store.append(THIRD)
    assert read(store) == ([FIRST, THIRD], 1)
    assert store.path.read_bytes().count(b"#torn\n") == 1


def test_another_kind_of_failure_of_the_lock_is_told(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock_that_fails(monkeypatch, errno.EIO)
    with pytest.raises(RecordError, match=r"cannot write to .*: Input/output error"):
        store.append(make_record())


def test_a_lock_that_is_never_given_back_is_not_waited_for_for_ever(
    begun: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "LOCK_PATIENCE_S", 0.05)
    with begun.path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(RecordError, match="another process keeps it locked"):
            begun.append(SECOND)
    begun.append(SECOND)


def test_samples_without_room_leave_nothing(store: RunStore) -> None:
    noise = {"loss": np.frombuffer(os.urandom(8000))}
    with files_end_at(4000), pytest.raises(RecordError, match=r"cannot write to .*File too large"):
        store.append(make_record(), noise)
    assert names_of_samples(store) == []
    assert store.read() == []


def test_what_a_killed_writer_left_of_its_samples_is_removed_by_the_next(store: RunStore) -> None:
    store.append(FIRST, SAMPLES)
    (store.folder / "samples" / f".{'0' * 16}.1.tmp").write_bytes(b"half")
    store.append(SECOND, SAMPLES)
    assert names_of_samples(store) == sorted(f"{r.record_id}.npz" for r in (FIRST, SECOND))


@pytest.mark.parametrize("content", [None, b"", b"#torn\n"])
def test_records_that_were_removed_or_replaced_are_missed(
    begun: RunStore, content: bytes | None
) -> None:
    begun.append(SECOND)
    again = RunStore(begun.folder)
    again.read()  # as where a sweep is resumed
    shutil.rmtree(begun.folder)
    if content is not None:
        begun.folder.mkdir()
        begun.path.write_bytes(content)
    for store in (begun, again):
        with pytest.raises(RecordError, match="removed or replaced, and 2 records with it"):
            store.append(THIRD)
    assert (begun.path.read_bytes() if begun.folder.exists() else None) == content


def test_a_file_put_in_its_place_that_holds_the_records_serves_as_well(begun: RunStore) -> None:
    edited = begun.folder / "edited"  # as an editor writes it
    edited.write_bytes(begun.path.read_bytes())
    edited.replace(begun.path)
    begun.append(SECOND)
    assert begun.read() == [FIRST, SECOND]


def test_a_line_that_the_disk_does_not_keep_is_taken_back_with_its_samples(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = store.append(FIRST, SAMPLES)
    sync = os.fsync

    def full(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), store.path.stat()):
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordError, match="Disk quota exceeded"):
        store.append(SECOND, SAMPLES)
    assert store.read() == [whole]
    assert len(names_of_samples(store)) == 1


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
