"""The append-only store, with crashes and several writers."""

import os
from pathlib import Path

import numpy as np
import pytest

from results import RecordError, RunRecord, RunStore, read_records
from results.records.store import newest_run
from tests.results.records_by_hand import make_record


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs" / "first")


def write_torn(store: RunStore, record: RunRecord, num_bytes: int) -> None:
    with store.path.open("ab") as file:
        file.write(record.to_json_line()[:num_bytes])


def test_what_was_appended_is_read_in_order(store: RunStore) -> None:
    records = [store.append(make_record(seed=seed)) for seed in range(3)]
    assert read_records(store.folder) == records
    assert read_records(store.path) == records
    assert store.read() == records


def test_a_record_read_twice_counts_once(store: RunStore) -> None:
    record = store.append(make_record())
    assert read_records(store.folder, store.path) == [record]


def test_several_folders_are_read_together(tmp_path: Path) -> None:
    first = RunStore(tmp_path / "a").append(make_record(seed=0))
    second = RunStore(tmp_path / "b").append(make_record(seed=1))
    assert read_records(tmp_path / "a", tmp_path / "b") == [first, second]


def test_samples_come_back_and_are_named_with_their_hash(store: RunStore) -> None:
    steps = np.arange(1000, dtype=np.float32)
    record = store.append(make_record(), samples={"step_time_s": steps})
    assert record.samples is not None
    assert record.samples["file"] == f"samples/{record.record_id}.npz"
    assert np.array_equal(store.load_samples(read_records(store.folder)[0])["step_time_s"], steps)
    assert os.listdir(store.folder / "samples") == [f"{record.record_id}.npz"]  # noqa: PTH208


def test_changed_samples_are_refused(store: RunStore) -> None:
    record = store.append(make_record(), samples={"loss": np.ones(3)})
    (store.folder / "samples" / f"{record.record_id}.npz").write_bytes(b"other")
    with pytest.raises(RecordError, match="missing or was changed"):
        store.load_samples(record)


def test_a_record_without_samples_has_none_to_load(store: RunStore) -> None:
    assert store.load_samples(store.append(make_record())) == {}
    assert not (store.folder / "samples").exists()


def test_a_record_too_large_leaves_the_file_as_it_was(store: RunStore) -> None:
    store.append(make_record())
    before = store.path.read_bytes()
    with pytest.raises(RecordError, match="takes"):
        store.append(make_record(conditions={"load": "x" * 5000}))
    assert store.path.read_bytes() == before


def test_a_torn_last_line_is_reported_and_skipped(store: RunStore) -> None:
    whole = store.append(make_record(seed=0))
    write_torn(store, make_record(seed=1), 200)
    said: list[str] = []
    assert read_records(store.folder, say=said.append) == [whole]
    assert said == [
        f"{store.path}, line 2: skipped a record that was cut short while it was written"
    ]


@pytest.mark.parametrize("num_bytes", [1, 40, 333, -2])
def test_a_writer_after_a_crash_loses_nothing(store: RunStore, num_bytes: int) -> None:
    before = store.append(make_record(seed=0))
    write_torn(store, make_record(seed=1), num_bytes)
    after = store.append(make_record(seed=2))
    said: list[str] = []
    assert read_records(store.folder, say=said.append) == [before, after]
    assert len(said) == 1


def test_a_record_that_lacks_only_its_newline_is_whole(store: RunStore) -> None:
    store.append(make_record(seed=0))
    write_torn(store, make_record(seed=1), -1)
    said: list[str] = []
    assert len(read_records(store.folder, say=said.append)) == 2
    store.append(make_record(seed=2))
    assert len(read_records(store.folder, say=said.append)) == 3
    assert said == []


def test_a_seal_in_a_line_of_its_own_and_blank_lines_mean_nothing(store: RunStore) -> None:
    store.append(make_record(seed=0))
    with store.path.open("ab") as file:
        file.write(b"#torn\n\n")
    store.append(make_record(seed=1))
    assert len(read_records(store.folder)) == 2


@pytest.mark.parametrize("line", [b'{"schema_ver', b"{}", b"hello"])
def test_a_bad_line_in_the_middle_is_an_error_with_its_place(store: RunStore, line: bytes) -> None:
    store.append(make_record(seed=0))
    with store.path.open("ab") as file:
        file.write(line + b"\n")
    store.append(make_record(seed=1))
    with pytest.raises(RecordError, match=r"records.jsonl, line 2: no "):
        read_records(store.folder)


def test_a_newer_record_is_refused_even_without_its_newline(store: RunStore) -> None:
    store.append(make_record(seed=0))
    newer = make_record(seed=1).to_json_line().replace(b'_version":2', b'_version":9')
    with store.path.open("ab") as file:
        file.write(newer[:-1])
    with pytest.raises(RecordError, match="line 2: written by a newer"):
        read_records(store.folder)


def test_a_short_write_is_an_error(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = store.append(make_record(seed=0))
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, line: write(fd, line[:100]))
    with pytest.raises(RecordError, match="is the disk full"):
        store.append(make_record(seed=1))
    monkeypatch.undo()
    last = store.append(make_record(seed=2))
    assert read_records(store.folder) == [whole, last]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"cannot write to .*file/run"):
        RunStore(tmp_path / "file" / "run").append(make_record())


def test_a_folder_without_records_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no records in .*fmnist-bench run --out"):
        read_records(tmp_path)
    with pytest.raises(RecordError, match="no records in"):
        read_records(tmp_path / "nowhere")


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
