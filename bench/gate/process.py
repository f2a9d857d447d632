"""Workers seen from the gate: processes of a commit's own code, asked over a pipe."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from bench.import_path import path_behind
from bench.workers import messages
from bench.workers.deaths import describe_exit

MODULE = "bench.gate.worker"
PROTOCOL = 2  # what is asked and answered; raised by whoever changes it
LAST_WORDS_CHARS = 300
TIMEOUT_S = 300.0
Answer = TypeVar("Answer")


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


@dataclass
class Process:
    """A running worker, of `base`, `head` or `again`."""

    side: str
    tree: Path  # the folder of its commit
    popen: subprocess.Popen[bytes]
    pipe: Connection  # our end; closing it ends the worker
    log: Path  # what it writes to stdout and stderr, after what others wrote before
    log_start: int  # bytes of the log that are others'

    @classmethod
    def start(cls, side: str, tree: Path, log: Path, module: str | None = None) -> "Process":
        """Start a fresh interpreter, this very one, on the code in `tree`."""
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", module or MODULE, str(theirs.fileno())]
        with log.open("ab") as out:
            log_start = out.tell()
            popen = subprocess.Popen(
                command,
                cwd=tree,
                env=os.environ | {"PYTHONPATH": path_behind(tree)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=[theirs.fileno()],
                process_group=0,  # Ctrl-C is the gate's to handle
            )
        theirs.close()
        return cls(side, tree, popen, Connection(ours.detach()), log, log_start)

    def ask(self, question: str, *, timeout_s: float = TIMEOUT_S, **content: Any) -> Any:  # noqa: ANN401 - JSON
        """Ask, and wait for the answer.

        Raises:
            WorkerError: it failed, died, or took too long.
        """
        self.put(question, **content)
        return self.answer(question, timeout_s)

    def put(self, question: str, **content: Any) -> None:  # noqa: ANN401 - JSON
        """Ask without waiting for the answer, so that another worker can be asked too.

        Raises:
            WorkerDiedError: it is gone.
        """
        try:
            messages.send(self.pipe, question, content)
        except OSError:
            raise self._death() from None

    def answer(self, question: str, timeout_s: float = TIMEOUT_S) -> Any:  # noqa: ANN401 - JSON
        """Wait for the answer to what was put last; the errors are those of `ask`.

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
        # a refusal is a line; a failure has a status beside its reason
        why = answer.get("reason") if isinstance(answer, dict) else answer
        raise failure(self.side, str(why))

    def stop(self) -> None:
        """End the worker now; once only, as later its id may be a stranger's."""
        if self.pipe.closed:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS's word for zombies
            os.killpg(self.popen.pid, signal.SIGKILL)  # what it has started, too
        self.popen.wait()
        self.pipe.close()

    def _death(self) -> WorkerDiedError:
        """Say how it died: by a signal, else the last line that it wrote, or its exit code."""
        try:
            code = self.popen.wait(5)
            reason = describe_exit(code) or "it ended without a word"
            written = self.log.read_bytes()[self.log_start :].decode(errors="replace")
            lines = written.strip().splitlines()
            if lines and code >= 0:
                reason = lines[-1][-LAST_WORDS_CHARS:]
        except subprocess.TimeoutExpired:
            reason = "it closed its pipe"
        self.stop()
        return WorkerDiedError(self.side, reason)


@contextlib.contextmanager
def started(trees: Mapping[str, Path], logs: Path) -> Iterator[list[Process]]:
    """Start a fresh worker a side, together and in this order; all are ended with the block.

    Raises:
        WorkerError: one of them cannot start.
    """
    running: list[Process] = []
    try:
        for side, tree in trees.items():
            running.append(Process.start(side, tree, logs / f"{side}.log"))
        for place, (side, tree) in enumerate(trees.items()):
            try:
                running[place].ask("introduce")
            except WorkerDiedError:  # once may be the machine's doing
                running[place] = Process.start(side, tree, logs / f"{side}.log")
                running[place].ask("introduce")
        yield running
    finally:
        for process in running:
            process.stop()


def in_workers(
    trees: Mapping[str, Path],
    models: Sequence[str],
    logs: Path,
    action: Callable[[Sequence[Process], str], Answer],
) -> tuple[dict[str, Answer], dict[str, WorkerError]]:
    """Run an action for each model in fresh workers; return answers and failures by model.

    A worker that dies leaves the models behind to the next ones, and the model it died over too,
    once: it may be the machine's doing. The action is given the workers, in the order of the sides,
    and a model.

    Raises:
        WorkerError: one of them cannot start.
    """
    answers: dict[str, Answer] = {}
    failures: dict[str, WorkerError] = {}
    left, again = list(models), set(models)
    while left:
        with started(trees, logs) as running:
            while left:
                model = left.pop(0)
                try:
                    answers[model] = action(running, model)
                except WorkerDiedError as error:
                    if model in again:
                        again.remove(model)
                        left.append(model)
                    else:
                        failures[model] = error
                    break
                except WorkerError as error:
                    failures[model] = error
    return answers, failures
