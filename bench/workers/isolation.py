"""Children: one process for each configuration, forked from a server that has torch imported.

A child that dies, hangs or runs wild takes nothing with it: its parent keeps what it sent before,
and learns from the exit code how it died.
"""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from bench.errors import RunError, UsageError
from bench.import_path import cwd_ignored, import_variables, our_path, set_variables
from bench.workers import messages
from bench.workers.confinement import settle_in
from bench.workers.deaths import count_oom_kills, explain_death
from bench.workers.messages import TimeLimit

STOPPED = "stopped on request"
FAREWELL_S = 5.0  # a child that has closed its pipe gets this long to end by itself
PARTING_S = 1.0  # and one that has said all it was asked for
BURIAL_S = 30.0  # a killed child gets this long to vanish: it may hold all memory of a GPU
ORPHANS_S = 5.0  # daemons that beget daemons
CHECK_S = 300.0  # a check before a sweep gets this long


def fork_server() -> ForkServerContext:
    """Return the context whose server imports torch and the harness once for all children."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.workers.preload"])
    return context


def start_server() -> None:
    """Start the fork server in the background, so that it imports while the parent checks.

    Raises:
        UsageError: the system refuses.
    """
    try:
        _ensure_server()
    except OSError as error:  # its socket lies in the temporary folder
        raise UsageError(
            f"no child process can be started ({error}); name a short folder with TMPDIR=/tmp"
        ) from None


def _ensure_server() -> None:
    """Start the server unless it runs; raises OSError where the system refuses."""
    fork_server()
    with cwd_ignored(PYTHONPATH=our_path()):
        resource_tracker.ensure_running()  # here, since its start unblocks SIGINT
        # The server inherits the mask, so that Ctrl-C cannot end its imports with a traceback.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def end_server() -> None:
    """End and forget the fork server, its children with it; the next child gets a new one."""
    with contextlib.suppress(OSError):  # its socket may have gone with its folder
        Path(util.get_temp_dir()).mkdir(mode=0o700, exist_ok=True)
    server: Any = forkserver._forkserver
    with server._lock:
        pid = server._forkserver_pid
        if pid is None:
            return
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
        os.close(server._forkserver_alive_fd)
        server._forkserver_pid = server._forkserver_alive_fd = server._forkserver_address = None
    deadline = time.monotonic() + PARTING_S
    with contextlib.suppress(OSError):  # somebody has read its exit code
        while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.001)


@dataclass
class Child:
    """A running child and its pipe."""

    process: ForkServerProcess
    pipe: Connection  # our end; closing it ends the child
    max_memory_bytes: int | None = None
    num_taken: int | None = field(default_factory=count_oom_kills)  # when it began

    @classmethod
    def start(
        cls, target: Callable[..., None], job: object, max_memory_bytes: int | None = None
    ) -> "Child":
        """Start `target(pipe, job)` in a child of the fork server, which has settled in.

        Raises:
            RunError: there can be no further process.
        """
        for is_last_try in (False, True):
            try:
                return cls(*_fork(target, job, max_memory_bytes), max_memory_bytes)
            except (OSError, EOFError) as error:  # the server may just have died
                if is_last_try:
                    why = getattr(error, "strerror", None) or "the fork server does not answer"
                    raise RunError("crashed", f"no process could be started: {why}") from None
                # its socket is gone, and it lives on; or it dies, and cannot be seen to be dead yet
                if isinstance(error, FileNotFoundError | ConnectionError | EOFError):
                    end_server()
        raise AssertionError

    def messages(
        self, *, timeout_s: float | None, should_stop: Callable[[], bool]
    ) -> Iterator[tuple[str, Any]]:
        """Yield messages as they come, a record with its samples, until the pipe is closed.

        Args:
            timeout_s: longest time without a record; None for no limit.
            should_stop: asked ten times a second; True ends the child.

        Raises:
            RunError: the time is up (`timeout`), `should_stop` said so (`interrupted`), or what
                came is no message (`crashed`).
        """
        limit = TimeLimit(timeout_s)

        def patience() -> None:
            if should_stop():
                raise RunError("interrupted", STOPPED)
            if limit.is_over():
                raise RunError("timeout", f"no result within {timeout_s:g} s")
            # a grandchild may keep the pipe of a dead child open
            if wait([self.process.sentinel], 0) and not wait([self.pipe], 0):
                raise EOFError

        while message := self._next(patience):
            yield message
            if message[0] == messages.RECORD:
                limit = TimeLimit(timeout_s)

    def _next(self, patience: Callable[[], None]) -> tuple[str, Any] | None:
        """Read the next message, a record together with its samples; None at the end."""
        try:
            kind, content = messages.receive(self.pipe, patience)
            if kind == messages.RECORD:
                content = content, messages.receive_samples(self.pipe, patience)
        except (EOFError, OSError):
            return None
        except ValueError as error:
            raise RunError("crashed", str(error)) from None
        return kind, content

    def close(self, farewell_s: float = FAREWELL_S) -> RunError:
        """End the child unless it ends by itself in time; return how it died."""
        self.process.join(farewell_s)
        is_alive = self.process.is_alive()
        self.kill()
        if is_alive:
            return RunError("crashed", "it closed its pipe and had to be killed")
        num_taken = count_oom_kills()
        return explain_death(
            self.process.exitcode,
            was_taken=None not in {num_taken, self.num_taken} and num_taken != self.num_taken,
            max_memory_bytes=self.max_memory_bytes,
        )

    def kill(self) -> None:
        """End the child and what it has started; once only: later its id may be a stranger's."""
        if self.pipe.closed:
            return
        if self.process.pid is not None:
            with contextlib.suppress(OSError):  # it and its group are gone
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()  # it may not have come to lead a group yet
        self.process.join(BURIAL_S)
        if self.process.is_alive():  # the server has stopped, or the kernel cannot end the child
            end_server()
            self.process.join(BURIAL_S)
        end_orphans()
        with contextlib.suppress(OSError):
            self.pipe.close()


def _fork(
    target: Callable[..., None], job: object, max_memory_bytes: int | None
) -> tuple[ForkServerProcess, Connection]:
    _ensure_server()  # a new one where the old one died
    context = fork_server()
    ours, theirs = context.Pipe(duplex=True)
    arguments = (import_variables(), target, theirs, job, max_memory_bytes)
    process = context.Process(target=_begin, args=arguments)
    try:
        process.start()
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


def _begin(
    variables: dict[str, str | None],
    target: Callable[..., None],
    pipe: Connection,
    job: object,
    max_memory_bytes: int | None,
) -> None:
    """Set a child up, then run its target."""
    set_variables(variables)  # the server's own are no business of what a model starts
    settle_in(max_memory_bytes)
    target(pipe, job)


def end_orphans() -> None:
    """End what dead children have left to the fork server: daemons, and what they start."""
    deadline = time.monotonic() + ORPHANS_S
    while (orphans := _orphans()) and time.monotonic() < deadline:
        for pid in orphans:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)  # their own children come next


def _orphans() -> set[int]:
    """Find children of the fork server that are not ours."""
    server = getattr(forkserver._forkserver, "_forkserver_pid", None)
    try:
        listed = Path(f"/proc/{server}/task/{server}/children").read_text(encoding="ascii")
    except OSError:  # the server is gone, or this is no Linux
        return set()
    ours = {child.pid for child in multiprocessing.active_children()}
    return {int(pid) for pid in listed.split()} - ours


def ask(
    target: Callable[..., None],
    job: object,
    *,
    max_memory_bytes: int | None = None,
    what: str = "the check before the sweep",
    remedy: str = "",
) -> Any:  # noqa: ANN401 - JSON
    """Start a child for one question and return its answer, as JSON values.

    Raises:
        UsageError: it refused; or it died, which is told of `what` it is, with a remedy.
    """
    child = None
    try:
        child = Child.start(target, job, max_memory_bytes)
        for kind, content in child.messages(timeout_s=CHECK_S, should_stop=lambda: False):
            if kind == messages.REFUSAL:
                raise UsageError(str(content))
            if kind == messages.ANSWER:
                return content
        raise UsageError(f"{what} died: {child.close()}{remedy}")
    except RunError as error:
        raise UsageError(f"{what} failed: {error.reason}{remedy}") from None
    finally:
        if child is not None:
            child.kill()
