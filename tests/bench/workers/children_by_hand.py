"""Children that misbehave in one way each, without a model; imported by the fork server's forks."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from bench.import_path import import_variables
from bench.workers import isolation, messages

IMPORTED_BY, PATH = os.getpid(), list(sys.path)  # a fork server that has imported this file
FOR_EVER_S = 3600.0
SLEEPER = "import time; time.sleep(3600)"


@contextmanager
def fresh_server(*preload: str) -> Iterator[None]:
    """A fork server that starts in the test and imports this alone, so that it is there at once."""
    context = multiprocessing.get_context("forkserver")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolation, "fork_server", lambda: context)
        context.set_forkserver_preload(list(preload))
        isolation.end_server()
        yield
        isolation.end_server()


def server_pid() -> int:
    """The id of the fork server."""
    return int(vars(forkserver._forkserver)["_forkserver_pid"])


def answers(pipe: Connection, content: object) -> None:
    """Says what it was given, and ends."""
    messages.send(pipe, messages.ANSWER, content)


def tells_imports(pipe: Connection, _job: object) -> None:
    """Says who imported this file from where, and the variables of this process."""
    told = {"imported_by": IMPORTED_BY, "path": PATH, "variables": import_variables()}
    messages.send(pipe, messages.ANSWER, told)


def writes(pipe: Connection, junk: bytes) -> None:
    """Writes bytes that are no frame into its pipe, and hangs."""
    os.write(pipe.fileno(), junk)
    time.sleep(FOR_EVER_S)


def sends(pipe: Connection, frames: tuple[bytes, ...]) -> None:
    """Sends frames, and hangs."""
    for frame in frames:
        pipe.send_bytes(frame)
    time.sleep(FOR_EVER_S)


def floods(pipe: Connection, _job: object) -> None:
    """Sends progress without a pause, for ever."""
    while True:
        messages.send(pipe, messages.PROGRESS, {})


def leaves_quietly(_pipe: Connection, _job: object) -> None:
    """Raises what ends a process without a word."""
    raise SystemExit


def is_killed(_pipe: Connection, number: int) -> None:
    """Dies by a signal."""
    os.kill(os.getpid(), number)


def exits(_pipe: Connection, code: int) -> None:
    """Ends at once, and a grandchild goes on that holds the pipe."""
    if os.fork() == 0:
        time.sleep(FOR_EVER_S)
    os._exit(code)


def spawns(pipe: Connection, then: str) -> None:
    """Starts a process, a daemon and a daemon of a fork alone, says their ids, then ends or hangs.

    Args:
        pipe: to the parent.
        then: `ends`, `crashes` or `hangs`.
    """
    started = [subprocess.Popen([sys.executable, "-S", "-c", SLEEPER]).pid]
    started.append(_start_daemon(lambda: os.execv(sys.executable, ["x", "-S", "-c", SLEEPER])))
    started.append(_start_daemon(lambda: time.sleep(FOR_EVER_S)))
    messages.send(pipe, messages.ANSWER, started)
    if then == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    if then == "hangs":
        time.sleep(FOR_EVER_S)


def _start_daemon(work) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Forks twice with a session between; gives the id of the second."""
    ours, theirs = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if (pid := os.fork()) == 0:
            work()
        os.write(theirs, b"%d" % pid)
        os._exit(0)
    os.wait()
    return int(os.read(ours, 20))


def tells_about_itself(pipe: Connection, _job: object) -> None:
    """Answers with its id, group, session, OOM score and memory limit."""
    from bench.machine.memory_limit import memory_limit

    score = int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii"))
    about = [os.getpid(), os.getpgrp(), os.getsid(0), score, memory_limit()]
    messages.send(pipe, messages.ANSWER, about)


def allocates(pipe: Connection, num_bytes: int) -> None:
    """Says how an allocation ended, as a run would."""
    import torch

    from bench.engine.failures import classify

    try:
        torch.ones(num_bytes, dtype=torch.uint8)
        messages.send(pipe, messages.ANSWER, ["ok", ""])
    except RuntimeError as error:
        messages.send(pipe, messages.ANSWER, classify(error))


def kills_the_server(_pipe: Connection, _job: object) -> None:
    """Kills the fork server, and itself with it."""
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(FOR_EVER_S)


def plays(frames: tuple[bytes, ...], pipe: Connection, _job: object) -> None:
    """Sends frames instead of running the seeds of a configuration, and hangs."""
    sends(pipe, frames)
