"""A worker seen from the gate: whatever becomes of it is one line with its side."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.gate.process import Process, WorkerError
from bench.workers.messages import NO_MESSAGE

READS = """
import os, signal, sys, time
from multiprocessing.connection import Connection

pipe = Connection(int(sys.argv[1]))
asked = pipe.recv_bytes()
"""
Starter = Callable[[str], Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    """Starts a worker of this source; all are ended with the test."""
    running: list[Process] = []

    def start(source: str) -> Process:
        (tmp_path / "fake_worker.py").write_text(source, encoding="utf-8")
        running.append(Process.start("head", tmp_path, tmp_path / "head.log", "fake_worker"))
        return running[-1]

    yield start
    for process in running:
        process.stop()


def refused(process: Process, timeout_s: float = 60.0) -> str:
    """The reason of the error that a question ends in."""
    with pytest.raises(WorkerError) as caught:
        process.ask("count", timeout_s=timeout_s, model="v2")
    assert caught.value.side == "head"
    assert "\n" not in caught.value.reason
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


def test_it_runs_the_trees_own_code_in_the_tree(
    start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would catch packages that are lost where they come by PYTHONPATH, or go before the tree."""
    theirs = tmp_path / "site"
    theirs.mkdir()
    (theirs / "of_this_tree.py").write_text("WORD = 'theirs'\n", encoding="utf-8")
    (theirs / "a_package.py").touch()
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path.name}/site")
    (tmp_path / "of_this_tree.py").write_text("WORD = 'mine'\n", encoding="utf-8")
    process = start(
        f"{READS}import json, a_package, of_this_tree\n"
        "content = [os.getcwd(), of_this_tree.WORD, json.loads(asked)]\n"
        "pipe.send_bytes(json.dumps({'kind': 'answer', 'content': content}).encode())\n"
    )
    asked = {"kind": "count", "content": {"model": "v2"}}
    assert process.ask("count", model="v2") == [str(tmp_path), "mine", asked]


REFUSAL = '{"kind": "refusal", "content": "no such model"}'
FAILURE = '{"kind": "failure", "content": {"status": "diverged", "reason": "nan at step 3"}}'


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import not_there\n", "ModuleNotFoundError: No module named 'not_there'"),
        (f"{READS}sys.exit(7)\n", "the process exited with code 7"),
        (f"{READS}sys.exit(0)\n", "it ended without a word"),
        (f"{READS}print('x' * 999 + 'y', flush=True)\nos._exit(1)\n", "x" * 299 + "y"),
        (  # a signal is named whatever was written before
            f"{READS}print('UserWarning', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n",
            "the process was killed by SIGKILL (out of memory?)",
        ),
        *(
            (f"{READS}pipe.send_bytes({frame!r})\ntime.sleep(60)\n", NO_MESSAGE)
            for frame in (b"no JSON", b"[1, 2]", b'{"content": 5}', b"")
        ),
        (  # it promises a gigabyte
            f"{READS}os.write(pipe.fileno(), b'\\x40\\0\\0\\0{{')\ntime.sleep(60)\n",
            NO_MESSAGE,
        ),
        (f"{READS}pipe.send_bytes({REFUSAL!r}.encode())\n", "no such model"),
        (f"{READS}pipe.send_bytes({FAILURE!r}.encode())\n", "nan at step 3"),
    ],
)
def test_whatever_it_does_instead_is_a_line(start: Starter, source: str, reason: str) -> None:
    assert refused(start(source)) == reason


def test_it_dies_before_it_is_asked(start: Starter) -> None:
    process = start("raise SystemExit('had enough')\n")
    process.popen.wait(60)
    assert refused(process) == "had enough"


def test_what_workers_before_it_wrote_is_not_its_own(start: Starter) -> None:
    assert refused(start(f"{READS}raise RuntimeError('first')\n")) == "RuntimeError: first"
    assert refused(start(f"{READS}os._exit(3)\n")) == "the process exited with code 3"


@pytest.mark.parametrize("half", ["", "os.write(pipe.fileno(), b'\\0\\0\\0\\x64{')\n"])
def test_an_answer_that_does_not_come_or_only_by_half_is_waited_for(
    start: Starter, half: str
) -> None:
    process = start(f"{READS}{half}time.sleep(60)\n")
    process.put("count", model="v2")
    assert not half or process.pipe.poll(60.0)
    with pytest.raises(WorkerError, match=r"^no answer to 'count' within 0\.1 s$"):
        process.answer("count", 0.1)
    assert process.popen.returncode == -signal.SIGKILL  # its answer would be the next one's


def test_it_is_gone_once_stopped(start: Starter) -> None:
    process = start(f"{READS}time.sleep(60)\n")
    process.stop()
    assert process.popen.returncode == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(process.popen.pid, 0)


def test_a_worker_that_is_gone_is_killed_no_second_time(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(f"{READS}sys.exit(7)\n")
    refused(process)
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, _number: killed.append(pid))
    process.stop()
    assert killed == []


def test_a_group_of_zombies_on_macos_is_no_error(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_pid: int, _number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    process = start(f"{READS}sys.exit(7)\n")
    monkeypatch.setattr(os, "killpg", refuse)
    assert refused(process) == "the process exited with code 7"
