"""A worker seen from the gate: a process of a commit's own code, asked over a pipe."""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from bench import messages
from bench.isolation import describe_exit

MODULE = "bench.gate.worker"
LAST_WORDS_CHARS = 300


class WorkerError(Exception):
    """A commit that could not answer: its side, and one line that says why."""

    def __init__(self, side: str, reason: str) -> None:
        super().__init__(reason)
        self.side = side
        self.reason = reason


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
        popen: the process.
        pipe: our end; closing it ends the worker.
        log: what it writes to stdout and stderr, after what others wrote before.
        log_start: bytes of the log that are others'.
    """

    side: str
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
        return cls(side, popen, Connection(ours.detach()), log, log_start)

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked again."""
        return self.popen.poll() is None and not self.pipe.closed

    def ask(self, question: str, *, timeout_s: float = 300.0, **content: Any) -> Any:  # noqa: ANN401 - JSON
        """The answer to a question.

        Raises:
            WorkerError: it failed, died, or took too long.
        """
        try:
            messages.send(self.pipe, question, content)
            if not self.pipe.poll(timeout_s):
                raise WorkerError(self.side, f"no answer to {question!r} within {timeout_s:g} s")
            kind, answer = messages.receive(self.pipe)
        except (EOFError, OSError):
            raise WorkerError(self.side, self._last_words()) from None
        except ValueError as error:
            raise WorkerError(self.side, str(error)) from None
        if kind == messages.ANSWER:
            return answer
        failure = RefusedError if kind == messages.REFUSAL else WorkerError
        raise failure(self.side, _reason(answer))

    def stop(self) -> None:
        """Ends the worker now."""
        self.pipe.close()
        self.popen.kill()
        self.popen.wait()

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
