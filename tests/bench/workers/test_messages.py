"""Frames of a child, over a real pipe."""

import io
import time
import zipfile
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pytest

from bench.errors import short_line
from bench.run.record import RunResult
from bench.workers import messages
from results import RunRecord
from tests.results.records_by_hand import make_record

Ends = tuple[Connection, Connection]


@pytest.fixture
def pipe() -> Iterator[Ends]:
    ours, theirs = Pipe()
    with ours, theirs:
        yield ours, theirs


def test_a_frame_arrives_as_it_was_sent(pipe: Ends) -> None:
    ours, theirs = pipe
    content: list[Any] = [None, True, -(2**63), 2**64 - 1, "ä\0", 1e-9, {"": [{}]}]
    messages.send(theirs, messages.ANSWER, content)
    assert messages.receive(ours) == (messages.ANSWER, content)


def test_progress_that_nobody_reads_is_dropped_and_a_record_after_it_is_not(pipe: Ends) -> None:
    ours, theirs = pipe
    content = ["seed 0 · training", 0.5, "128 images/s"]
    for _ in range(10_000):  # far more than a pipe holds; a send would never return
        messages.send_progress(theirs, content)
    num_read = 0
    while ours.poll():
        assert messages.receive(ours) == (messages.PROGRESS, content)
        num_read += 1
    assert 0 < num_read < 10_000
    messages.send_progress(theirs, content)
    messages.send(theirs, messages.RECORD, "x")
    assert [messages.receive(ours)[0] for _ in "12"] == [messages.PROGRESS, messages.RECORD]


def test_progress_to_a_parent_that_is_gone_is_heard_of(pipe: Ends) -> None:
    ours, theirs = pipe
    ours.close()
    with pytest.raises(OSError, match="Broken pipe"):
        messages.send_progress(theirs, {})


def test_a_limit_counts_no_time_in_which_nobody_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limit, none = messages.TimeLimit(10.0), messages.TimeLimit(None)
    now = 7200.0  # stopped by Ctrl-Z
    assert not limit.is_over()
    for _ in range(9):
        now += 1.0
        assert not limit.is_over()
    now += 0.5
    assert limit.is_over()
    assert not none.is_over()


@pytest.mark.parametrize(
    "samples",
    [{}, {"loss": np.array([2.5, 1.5], dtype=np.float32), "chunk_steps": np.array([1, 1])}],
)
def test_a_result_arrives_with_its_samples(pipe: Ends, samples: dict[str, Any]) -> None:
    ours, theirs = pipe
    record = make_record("v0")
    messages.send_result(theirs, RunResult(record, samples))
    kind, line = messages.receive(ours)
    arrays = messages.receive_samples(ours)
    assert kind == messages.RECORD
    assert RunRecord.from_json_line(line.encode()) == record
    assert set(arrays) == set(samples)
    assert all(np.array_equal(arrays[name], samples[name]) for name in samples)
    assert all(arrays[name].dtype == samples[name].dtype for name in samples)


def test_a_reason_is_a_line_that_ends() -> None:
    assert short_line(" a\n  b\t") == "a b"
    assert short_line("\x1b[2Jgone\x07") == r"gone\u0007"
    assert short_line("x" * 10**7) == f"{'x' * 500} ... {'x' * 500}"
    assert short_line("a name \udcff") == "a name \\udcff"


@pytest.mark.parametrize(
    "frame",
    [
        *(b"hello", b"\xff", b"[1]", b'{"content": 1}', b"3", b"null", b"{}", b'{"kind": ["a"]}'),
        b"[" * 10_000 + b"]" * 10_000,
    ],
)
def test_a_frame_that_is_no_message_is_refused(pipe: Ends, frame: bytes) -> None:
    ours, theirs = pipe
    theirs.send_bytes(frame)
    with pytest.raises(ValueError, match=r"no message|JSON|character|UTF-8|utf-8|depth"):
        messages.receive(ours)


def packed(write: Callable[..., None] = np.savez, /, **arrays: Any) -> bytes:  # noqa: ANN401
    buffer = io.BytesIO()
    write(buffer, **arrays)
    return buffer.getvalue()


def zipped(num_values: int) -> zipfile.ZipFile:
    """Samples of eight bytes whose header promises more; open, as `bytes_of` wants them."""
    member = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (num_values,)}
    np.lib.format.write_array_header_1_0(member, header)
    archive = zipfile.ZipFile(io.BytesIO(), "w")
    archive.writestr("loss.npy", member.getvalue() + b"12345678")
    return archive


def bytes_of(archive: zipfile.ZipFile) -> bytes:
    buffer = archive.fp
    assert isinstance(buffer, io.BytesIO)
    archive.close()
    return buffer.getvalue()


def overlapping() -> bytes:
    """A zip whose hundred entries are all the same bytes."""
    archive = zipped(8)
    archive.filelist *= 100
    return bytes_of(archive)


NO_SAMPLES = {
    "pickle": (packed(loss=np.array([{"a": 1}], dtype=object)), "allow_pickle"),
    "garbage": (b"garbage", "not a zip file"),
    "empty": (b"", "not a zip file"),
    "cut": (packed(loss=np.arange(9))[:-30], "not a zip file"),
    "npy": (packed(np.save, arr=np.arange(3)), "not a zip file"),
    "bomb": (packed(np.savez_compressed, loss=np.zeros(10**6)), "they are compressed"),
    "name": (packed(**{"a name": np.zeros(1)}), "a name cannot be kept"),
    "text": (packed(loss=np.array(["text"])), "loss cannot be kept"),
    "short": (bytes_of(zipped(9)), "EOF"),
    "huge": (bytes_of(zipped(10**16)), "allocate"),
    "overlap": (overlapping(), "they claim to be larger than they are"),
}


@pytest.mark.parametrize(("frame", "reason"), NO_SAMPLES.values(), ids=NO_SAMPLES)
def test_samples_that_are_none_are_refused(pipe: Ends, frame: bytes, reason: str) -> None:
    ours, theirs = pipe
    theirs.send_bytes(frame)
    with pytest.raises(ValueError, match=f"samples that are no arrays: .*{reason}"):
        messages.receive_samples(ours)


def test_a_closed_pipe_is_the_end() -> None:
    ours, theirs = Pipe()
    messages.send(theirs, messages.PROGRESS, {})
    theirs.close()
    assert messages.receive(ours) == (messages.PROGRESS, {})
    with pytest.raises(EOFError):
        messages.receive(ours)
