"""A child seen from its parent: whatever it does, the parent hears of it in time and lives on."""

import os
import shutil
import signal
import struct
import time
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from bench.errors import RunError, UsageError
from bench.workers import isolation, messages
from bench.workers.isolation import Child, ask
from bench.workers.messages import packed_samples
from tests.bench.workers import children_by_hand as children

GB = 10**9
SOON_S = 60.0  # of a busy machine; what is right comes at once
Starter = Callable[..., Child]


@pytest.fixture
def start() -> Iterator[Starter]:
    """Starts children; all are ended with the test."""
    running: list[Child] = []

    def start(*arguments: Any) -> Child:  # noqa: ANN401
        running.append(Child.start(*arguments))
        return running[-1]

    yield start
    for child in running:
        child.kill()


def arriving_from(
    child: Child, timeout_s: float | None = SOON_S, *, stop: bool = False
) -> Iterator[tuple[str, Any]]:
    """The messages of a child as they come."""
    return child.messages(timeout_s=timeout_s, should_stop=lambda: stop)


def outcome(child: Child, timeout_s: float | None = SOON_S, *, stop: bool = False) -> RunError:
    """How a child ended that gave no result."""
    try:
        list(arriving_from(child, timeout_s, stop=stop))
    except RunError as error:
        return error
    return child.close()


HALF_A_FRAME = struct.pack("!i", 100) + b"{}"
A_GIGABYTE = struct.pack("!i", 1 << 30) + b"x"
PROGRESS = b'{"kind": "progress", "content": {}}'
RECORD = b'{"kind": "record", "content": "x"}'
NO_MESSAGE = "the child wrote something into the pipe that is no message"
NO_SAMPLES = "the child sent samples that are no arrays: BadZipFile: File is not a zip file"
KILLED = "the process was killed by"


NO_RESULT = "no result within 0.3 s"


@pytest.mark.parametrize(
    ("target", "job", "timeout_s", "status", "reason"),
    [
        (children.writes, b"", 0.3, "timeout", NO_RESULT),
        (children.writes, HALF_A_FRAME, 0.3, "timeout", NO_RESULT),
        (children.writes, HALF_A_FRAME[:2], 0.3, "timeout", NO_RESULT),
        (children.sends, (RECORD,), 0.3, "timeout", NO_RESULT),
        (children.floods, None, 0.3, "timeout", NO_RESULT),
        (children.writes, A_GIGABYTE, None, "crashed", NO_MESSAGE),
        (children.writes, struct.pack("!iQ", -1, 1 << 40), None, "crashed", NO_MESSAGE),
        (children.writes, b"rubbish!" * 9, None, "crashed", NO_MESSAGE),
        (children.sends, (RECORD, b"no zip"), None, "crashed", NO_SAMPLES),
        # a grandchild holds the pipe of the last
        (children.leaves_quietly, None, None, "crashed", "the process ended without a result"),
        (children.is_killed, signal.SIGKILL, None, "crashed", f"{KILLED} SIGKILL (out of memory?)"),
        (children.is_killed, signal.SIGABRT, None, "crashed", f"{KILLED} SIGABRT"),
        (children.exits, 3, None, "crashed", "the process exited with code 3"),
    ],
)
def test_whatever_a_child_does_its_end_is_heard_in_time(
    start: Starter,
    target: Callable[..., None],
    job: object,
    timeout_s: float | None,
    status: str,
    reason: str,
) -> None:
    child = start(target, job)
    if timeout_s and job != b"":
        assert child.pipe.poll(SOON_S)  # the time begins once it has said something
    error = outcome(child, timeout_s)
    assert (error.status, error.reason) == (status, reason)


def test_an_interruption_is_heard_in_the_middle_of_a_frame(start: Starter) -> None:
    assert outcome(start(children.writes, HALF_A_FRAME), None, stop=True).status == "interrupted"


def test_what_a_child_said_while_its_parent_was_stopped_counts(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    arriving = arriving_from(start(children.sends, (PROGRESS, RECORD, packed_samples({}))))
    assert next(arriving)[0] == messages.PROGRESS
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 2 * SOON_S)
    assert next(arriving) == (messages.RECORD, ("x", {}))


def test_sigkill_while_the_kernel_was_short_of_memory(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = start(children.is_killed, signal.SIGKILL)
    assert child.num_taken is not None
    monkeypatch.setattr(isolation, "count_oom_kills", lambda: 1 + (child.num_taken or 0))
    assert outcome(child, None).status == "out_of_memory"


def is_gone(pid: int) -> bool:
    """Whether a process is no more, or nothing but an entry that nobody has read."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return True


@pytest.mark.parametrize("then", ["ends", "crashes", "hangs"])
def test_nothing_that_a_child_has_started_outlives_it(start: Starter, then: str) -> None:
    child = start(children.spawns, then)
    _, started = next(arriving_from(child))
    assert len(started) == 3
    assert not any(map(is_gone, started))
    child.kill() if then == "hangs" else child.close()
    assert all(map(is_gone, started))


def test_a_child_that_is_alive_keeps_what_it_has_started(start: Starter) -> None:
    child = start(children.spawns, "hangs")
    _, started = next(arriving_from(child))
    start(children.answers, 1).kill()
    assert not any(map(is_gone, started))


def test_it_leads_a_session_and_goes_before_its_parent() -> None:
    ours = int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii"))
    pid, group, session, score, limit = ask(children.tells_about_itself, None)
    assert (pid, pid) == (group, session)
    assert score == min(ours + 500, 1000)
    assert limit is None


def test_memory_beyond_the_limit_cannot_be_had() -> None:
    limit = 2 * GB
    assert ask(children.allocates, GB // 2, max_memory_bytes=limit) == ["ok", ""]
    status, reason = ask(children.allocates, 2 * GB, max_memory_bytes=limit)
    assert status == "out_of_memory"
    assert reason.startswith("its memory was limited to 2 GB (--max-memory-gb): ")


def test_the_fork_server_dies_and_the_next_child_gets_a_new_one(start: Starter) -> None:
    bystander = start(children.writes, b"")
    error = outcome(start(children.kills_the_server, None), None)
    assert error.status == "crashed"
    assert error.reason.startswith("the fork server died")
    assert outcome(bystander, None).reason.startswith("the fork server died")
    assert ask(children.answers, "well") == "well"


def refuse_to_fork(*_arguments: object) -> None:
    raise BlockingIOError(11, "Resource temporarily unavailable")


def test_no_further_process_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forkserver, "ensure_running", refuse_to_fork)
    with pytest.raises(RunError) as caught:
        Child.start(children.answers, None)
    reason = "no process could be started: Resource temporarily unavailable"
    assert (caught.value.status, caught.value.reason) == ("crashed", reason)
    with pytest.raises(UsageError, match=reason):
        ask(children.answers, None)
    with pytest.raises(UsageError, match=r"Resource temporarily unavailable.*TMPDIR"):
        isolation.start_server()  # before a sweep it is for the user to mend


def test_a_server_that_has_just_died_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, start: Starter
) -> None:
    tries = [forkserver.ensure_running, refuse_to_fork]

    def ensure_running() -> None:
        tries.pop()()

    monkeypatch.setattr(forkserver, "ensure_running", ensure_running)
    assert list(arriving_from(start(children.answers, 1))) == [(messages.ANSWER, 1)]


def test_a_child_is_killed_no_second_time(monkeypatch: pytest.MonkeyPatch, start: Starter) -> None:
    child = start(children.writes, b"")
    child.kill()
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, _number: killed.append(pid))
    child.kill()
    assert killed == []


@pytest.fixture
def _bare_server() -> Iterator[None]:
    with children.fresh_server():
        yield


@pytest.mark.usefixtures("_bare_server")
def test_a_server_that_has_stopped_is_replaced(
    monkeypatch: pytest.MonkeyPatch, start: Starter
) -> None:
    monkeypatch.setattr(isolation, "BURIAL_S", 0.2)
    child = start(children.writes, b"")
    stopped = children.server_pid()
    os.kill(stopped, signal.SIGSTOP)
    child.kill()
    assert not child.process.is_alive()
    assert is_gone(stopped)
    assert ask(children.answers, "well") == "well"


@pytest.mark.usefixtures("_bare_server")
def test_a_server_is_gone_before_another_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    isolation.start_server()
    wait, not_yet = os.waitpid, iter([(0, 0), (0, 0)])
    monkeypatch.setattr(os, "waitpid", lambda pid, _options: next(not_yet, None) or wait(pid, 0))
    isolation.end_server()
    assert next(not_yet, None) is None


@pytest.mark.usefixtures("_bare_server")
@pytest.mark.parametrize("what", ["socket", "folder"])
def test_a_socket_that_a_cleaner_removed_is_replaced(what: str) -> None:
    isolation.start_server()
    socket = Path(vars(forkserver._forkserver)["_forkserver_address"])
    shutil.rmtree(socket.parent) if what == "folder" else socket.unlink()
    assert ask(children.answers, "well") == "well"


@pytest.mark.usefixtures("_bare_server")
def test_a_server_that_refuses_while_it_dies_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    # for a moment it neither listens any more nor is it to be seen that it is gone
    isolation.start_server()
    fork, before = isolation._fork, children.server_pid()
    errors = [ConnectionRefusedError(111, "refused")]

    def refused_once(*arguments: Any) -> Any:  # noqa: ANN401
        if errors:
            raise errors.pop()
        return fork(*arguments)

    monkeypatch.setattr(isolation, "_fork", refused_once)
    assert ask(children.answers, "well") == "well"
    assert children.server_pid() != before
