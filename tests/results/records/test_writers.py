"""Sixteen writers at once: every line is whole and there once, whoever is killed meanwhile."""

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from results import read_records
from results.records.appending import open_lines
from tests.command_line import LIMIT_S, REPOSITORY, wait_for

NUM_WRITERS, NUM_LINES, NUM_RECORDS = 16, 250, 40
LINES = """
import hashlib, json, random, sys
from pathlib import Path
from results.records.appending import open_lines

path, writer, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
draw = random.Random(writer)
for number in range(count):
    text = draw.choice("abcdefgh") * draw.randint(2_000, 50_000)
    digest = hashlib.sha256(text.encode()).hexdigest()
    line = {"writer": writer, "number": number, "sha256": digest, "text": text}
    with open_lines(path) as lines:
        lines.append(json.dumps(line).encode() + b"\\n")
"""
RECORDS = """
import sys
from results import RunStore
from tests.results.records_by_hand import make_record

store, writer = RunStore(sys.argv[1]), int(sys.argv[2])
for seed in range(int(sys.argv[3])):
    load = "x" * (seed * 80 % 3200)
    store.append(make_record(f"writer{writer}", seed, conditions={"load": load}))
"""


def start(code: str, path: Path, count: int) -> list[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", code, str(path)]
    return [
        subprocess.Popen([*command, str(number), str(count)], cwd=REPOSITORY)
        for number in range(NUM_WRITERS)
    ]


def has_bytes(path: Path, num_bytes: int) -> bool:
    return path.exists() and path.stat().st_size > num_bytes


def numbers(path: Path) -> Counter[tuple[int, int]]:
    """Writer and number of each line, all of them whole."""
    found: Counter[tuple[int, int]] = Counter()
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"#torn\n"):
                continue
            loaded = json.loads(line)
            assert hashlib.sha256(loaded["text"].encode()).hexdigest() == loaded["sha256"]
            found[loaded["writer"], loaded["number"]] += 1
    return found


@pytest.mark.slow
def test_writers_that_are_killed_harm_no_line_of_others(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    writers = start(LINES, path, NUM_LINES)
    victims = writers[::4]
    for count, victim in enumerate(victims, start=1):
        assert wait_for(partial(has_bytes, path, count * 2_000_000))
        victim.send_signal(signal.SIGKILL)
    codes = [writer.wait(LIMIT_S) for writer in writers]
    found = numbers(path)
    assert set(found.values()) == {1}
    for writer, code in enumerate(codes):
        theirs = sorted(n for w, n in found if w == writer)
        assert theirs == list(range(len(theirs)))  # all that were written before its end
        assert code == (0 if len(theirs) == NUM_LINES else -signal.SIGKILL)


def test_records_of_sixteen_writers_are_all_there(tmp_path: Path) -> None:
    writers = start(RECORDS, tmp_path / "run", NUM_RECORDS)
    assert [writer.wait(LIMIT_S) for writer in writers] == [0] * NUM_WRITERS
    said: list[str] = []
    records = read_records(tmp_path / "run", say=said.append)
    runs = Counter((record.spec["model"], record.spec["seed"]) for record in records)
    assert runs == {(f"writer{w}", n): 1 for w in range(NUM_WRITERS) for n in range(NUM_RECORDS)}
    assert said == []
    assert b"#torn" not in (tmp_path / "run" / "records.jsonl").read_bytes()
    assert os.listdir(tmp_path / "run") == ["records.jsonl"]  # noqa: PTH208


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
