"""Children: one process for each configuration, forked from a server that has torch imported.

A child that dies, hangs or runs wild takes nothing with it: its parent reads what it sent before,
and learns from the exit code what became of it.
"""

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from bench import messages
from bench.errors import RunError, UsageError

POLL_S = 0.1  # how soon an interruption or a deadline is noticed
STOPPED = "stopped on request"
FAREWELL_S = 5.0  # a child that has closed its pipe gets this long to end by itself


def fork_server() -> ForkServerContext:
    """The context whose server imports torch, torchvision and the harness once for all children."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.preload"])
    return context


def start_server() -> None:
    """Starts the fork server in the background, so that it imports while the parent checks.

    Raises:
        UsageError: the system refuses.
    """
    from multiprocessing import forkserver, resource_tracker

    fork_server()
    resource_tracker.ensure_running()  # here, since its start unblocks SIGINT
    # The server inherits the mask, so that Ctrl-C cannot end its imports with a traceback.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    except OSError as error:  # its socket lies in the temporary folder
        raise UsageError(
            f"no child process can be started ({error}); name a short folder with TMPDIR=/tmp"
        ) from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@dataclass
class Child:
    """A running child and its pipe.

    Attributes:
        process: the child.
        pipe: our end; closing it ends the child.
    """

    process: ForkServerProcess
    pipe: Connection

    @classmethod
    def start(cls, target: Callable[..., None], job: object) -> "Child":
        """Starts `target(pipe, job)` in a child of the fork server."""
        context = fork_server()
        ours, theirs = context.Pipe(duplex=True)
        process = context.Process(target=target, args=(theirs, job))
        process.start()
        theirs.close()
        return cls(process, ours)

    def messages(
        self, *, timeout_s: float | None, should_stop: Callable[[], bool]
    ) -> Iterator[tuple[str, Any]]:
        """Messages as they come, until the child closes its pipe.

        Args:
            timeout_s: longest time without a record; None for no limit.
            should_stop: asked ten times a second; True ends the child.

        Raises:
            RunError: the time is up (`timeout`), or `should_stop` said so (`interrupted`).
        """
        deadline = _deadline(timeout_s)
        while True:
            while not wait([self.pipe], POLL_S):
                if should_stop():
                    raise RunError("interrupted", STOPPED)
                if time.monotonic() > deadline:
                    raise RunError("timeout", f"no result within {timeout_s:g} s")
            try:
                kind, content = messages.receive(self.pipe)
                if kind == messages.RECORD:
                    content = (content, messages.receive_samples(self.pipe))
                    deadline = _deadline(timeout_s)
            except (EOFError, OSError):
                return
            except ValueError as error:
                raise RunError("crashed", str(error)) from None
            yield kind, content

    def close(self) -> str | None:
        """Ends the child if it has not ended by itself, and tells how it died.

        Returns:
            None for a clean end, else one line.
        """
        self.process.join(FAREWELL_S)
        is_alive = self.process.is_alive()
        self.kill()
        return "it had to be killed" if is_alive else describe_exit(self.process.exitcode)

    def kill(self) -> None:
        """Ends the child now, whatever it does."""
        with contextlib.suppress(OSError):
            self.pipe.close()
        self.process.kill()
        self.process.join()


def ask(target: Callable[..., None], job: object, *, timeout_s: float = 300.0) -> Any:  # noqa: ANN401
    """The one answer of a short-lived child, as JSON values.

    Raises:
        UsageError: it refused, or died.
    """
    child = Child.start(target, job)
    try:
        for kind, content in child.messages(timeout_s=timeout_s, should_stop=lambda: False):
            if kind == messages.REFUSAL:
                raise UsageError(str(content))
            if kind == messages.ANSWER:
                return content
        raise UsageError(f"the check before the sweep died: {child.close() or 'without a word'}")
    except RunError as error:
        raise UsageError(f"the check before the sweep failed: {error.reason}") from None
    finally:
        child.kill()


def describe_exit(code: int | None) -> str | None:
    """One line about an exit code; None for a clean end."""
    if not code:
        return None
    if code > 0:
        return f"the process exited with code {code}"
    name = signal.Signals(-code).name if -code in {*signal.Signals} else str(-code)
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"the process was killed by {name}{hint}"


def _deadline(timeout_s: float | None) -> float:
    return time.monotonic() + (timeout_s if timeout_s is not None else float("inf"))
