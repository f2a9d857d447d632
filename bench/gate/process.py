"""A worker seen from the gate: a process of a commit's own code, asked over a pipe."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from bench.workers import messages
from bench.workers.deaths import describe_exit

MODULE = "bench.gate.worker"
LAST_WORDS_CHARS = 300
TIMEOUT_S = 300.0


class WorkerError(Exception):
    """A commit that could not answer: its side, and one line that says why."""

    def __init__(self, side: str, reason: str) -> None:
        super().__init__(reason)
        self.side = side
        self.reason = reason


class WorkerDiedError(WorkerError):
    """A worker that is gone: it may be the machine's doing, so that another one is worth a try."""


class RefusedError(WorkerError):
    """A question that made no sense to it: what a user has asked for is wrong."""


class Asked(Protocol):
    """Whatever answers questions for one side."""

    side: str

    def ask(self, question: str, *, timeout_s: float = ..., **content: Any) -> Any:  # noqa: ANN401
        """The answer to a question; see `Process.ask`."""


@dataclass
class Process:
    """A running worker.

    Attributes:
        side: `base`, `head` or `again`.
        tree: the folder of its commit.
        popen: the process.
        pipe: our end; closing it ends the worker.
        log: what it writes to stdout and stderr, after what others wrote before.
        log_start: bytes of the log that are others'.
    """

    side: str
    tree: Path
    popen: subprocess.Popen[bytes]
    pipe: Connection
    log: Path
    log_start: int

    @classmethod
    def start(cls, side: str, tree: Path, log: Path, module: str = MODULE) -> "Process":
        """Starts a fresh interpreter, this very one, on the code in `tree`."""
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", module, str(theirs.fileno())]
        with log.open("ab") as out:
            log_start = out.tell()
            popen = subprocess.Popen(
                command,
                cwd=tree,
                env=os.environ | {"PYTHONPATH": str(tree)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=[theirs.fileno()],
                process_group=0,  # Ctrl-C is the gate's to handle
            )
        theirs.close()
        return cls(side, tree, popen, Connection(ours.detach()), log, log_start)

    def ask(self, question: str, *, timeout_s: float = TIMEOUT_S, **content: Any) -> Any:  # noqa: ANN401 - JSON
        """The answer to a question.

        Raises:
            WorkerError: it failed, died, or took too long.
        """
        self.put(question, **content)
        return self.answer(question, timeout_s)

    def put(self, question: str, **content: Any) -> None:  # noqa: ANN401 - JSON
        """Asks without waiting for the answer, so that another worker can be asked too.

        Raises:
            WorkerDiedError: it is gone.
        """
        try:
            messages.send(self.pipe, question, content)
        except OSError:
            raise self._death() from None

    def answer(self, question: str, timeout_s: float = TIMEOUT_S) -> Any:  # noqa: ANN401 - JSON
        """The answer to what was put last; the errors are those of `ask`.

        A worker that is late is ended: its answer would be taken for that to the next question.
        """
        limit = messages.TimeLimit(timeout_s)

        def patience() -> None:
            if limit.is_over():
                raise TimeoutError

        try:
            kind, answer = messages.receive(self.pipe, patience)
        except TimeoutError:
            self.stop()
            reason = f"no answer to {question!r} within {timeout_s:g} s"
            raise WorkerDiedError(self.side, reason) from None
        except (EOFError, OSError):
            raise self._death() from None
        except ValueError as error:
            self.stop()
            raise WorkerDiedError(self.side, str(error)) from None
        if kind == messages.ANSWER:
            return answer
        failure = RefusedError if kind == messages.REFUSAL else WorkerError
        raise failure(self.side, _reason(answer))

    def stop(self) -> None:
        """Ends the worker now; once only, as later its id may be a stranger's."""
        if self.pipe.closed:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS's word for zombies
            os.killpg(self.popen.pid, signal.SIGKILL)  # what it has started, too
        self.popen.wait()
        self.pipe.close()

    def _death(self) -> WorkerDiedError:
        reason = self._last_words()
        self.stop()
        return WorkerDiedError(self.side, reason)

    def _last_words(self) -> str:
        """How it died: by a signal, else the last line that it wrote, or its exit code."""
        try:
            code = self.popen.wait(5)
        except subprocess.TimeoutExpired:
            return "it closed its pipe"
        died = describe_exit(code) or "it ended without a word"
        written = self.log.read_bytes()[self.log_start :].decode(errors="replace")
        lines = written.strip().splitlines()
        return lines[-1][-LAST_WORDS_CHARS:] if lines and code >= 0 else died


def _reason(answer: object) -> str:
    """A refusal is a line; a failure has a status beside its reason."""
    return str(answer.get("reason")) if isinstance(answer, dict) else str(answer)
