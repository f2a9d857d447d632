"""A rung under way, seen from the parent: its child, its turns, its status."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.errors import RunError, UsageError, short_line
from bench.ladder.child import COUNTED, FAILURE, READY, TURN, RungJob, climb
from bench.ladder.rungs import RungSpec
from bench.spec.plan import Plan
from bench.sweep.request import Request
from bench.workers import messages
from bench.workers.interruption import Interruption
from bench.workers.isolation import STOPPED, Child
from results.records.record import STATUSES

MOST = 2**63  # of seconds or images of a turn: a child may send an integer of any length


@dataclass
class Ready:
    """What a child says once it is set up: its plan, and what it measured on the way."""

    plan: Plan | None = None
    measured: dict[str, float] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)


@dataclass
class Climber:
    """A rung and its child."""

    rung: RungSpec
    job: RungJob
    interruption: Interruption
    request: Request  # timeout of the set-up or of one turn, limit of the child's memory
    status: str = "ok"  # as long as nothing has gone wrong
    reason: str | None = None
    ready: Ready = field(default_factory=Ready)
    turns: list[tuple[float, int]] = field(default_factory=list)  # seconds and images of each
    uncounted: str = ""  # why what is counted after all turns is unknown
    _child: Child | None = field(default=None, init=False)

    def set_up(self, report: Callable[[str, float], None], share: float) -> None:
        """Start the child and wait until it is ready, or has failed; report each phase."""
        if self.rung.refusal is not None:
            self.status, self.reason = "unsupported", self.rung.refusal
            return

        def tell(phase: str) -> None:
            report(f"{self.rung.rung.name} · {phase}", share)

        with self._failing():
            self._child = Child.start(climb, self.job, self.request.max_memory_bytes)
            self.ready = checked_ready(self._answer(READY, tell))

    def take_turn(self) -> None:
        """Let the child train one turn and wait for its end; do nothing where the rung failed."""
        if self._child is None or self.status != "ok":
            return
        with self._failing():
            self.turns.append(checked_turn(self._ask(TURN)))

    def count(self) -> None:
        """Let the child count what would have disturbed its turns; they stay if it fails."""
        if self._child is None or self.status != "ok" or len(self.turns) < self.job.num_turns:
            return
        try:
            self.ready = checked_ready(self._ask(COUNTED))
            if "kernels_per_step" not in self.ready.measured:
                self.uncounted = "torch's profiler saw none"
        except RunError as error:
            self.uncounted = f"it failed at the count: {short_line(error)}"

    def stop(self) -> None:
        """End the child; a rung without all of its turns was interrupted."""
        if self._child is not None:
            self._child.kill()
        if self.status == "ok" and len(self.turns) < self.job.num_turns:
            done = f" after {len(self.turns)} of {self.job.num_turns} turns"
            self.status, self.reason = "interrupted", STOPPED + done

    def _ask(self, wanted: str) -> Any:  # noqa: ANN401 - JSON
        assert self._child is not None
        try:
            messages.send(self._child.pipe, wanted)
        except OSError:  # it has died since its last turn
            raise self._child.close() from None
        return self._answer(wanted)

    def _answer(self, wanted: str, tell: Callable[[str], None] = lambda _phase: None) -> Any:  # noqa: ANN401 - JSON
        """The content of the next message of this kind.

        Raises:
            RunError: the child failed, died, hung or was stopped.
        """
        assert self._child is not None
        for kind, content in self._child.messages(
            timeout_s=self.request.timeout_s, should_stop=lambda: self.interruption.now
        ):
            if kind == wanted:
                return content
            if kind == FAILURE:
                raise _failure(content)
            if kind != messages.PROGRESS:
                raise messages.unexpected(kind, content)
            tell(short_line(content)[: messages.MAX_SHOWN_CHARS])
        raise self._child.close()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Whatever goes wrong inside becomes the status of this rung, and ends its child."""
        try:
            yield
        except RunError as error:
            self.status, self.reason = error.status, error.reason
            if self.interruption.now:  # the signal may have reached the child before us
                self.status, self.reason = "interrupted", STOPPED
            if self._child is not None:
                self._child.kill()


def checked_ready(content: object) -> Ready:
    """What a child said when it was ready, or had counted: untrusted, as user code runs there.

    Raises:
        RunError: it is not what the child's `_told` makes.
    """
    try:
        match content:
            case {"plan": str(plan), "measured": dict(measured), "conditions": dict(conditions)}:
                values = {name: float(value) for name, value in measured.items()}
                if all(map(math.isfinite, values.values())):
                    return Ready(Plan.parse(plan), values, conditions)
    except (TypeError, ValueError, OverflowError, UsageError):
        pass
    raise RunError("crashed", "the child said nothing sensible when it was ready")


def checked_turn(content: object) -> tuple[float, int]:
    """Seconds and images of a turn.

    Raises:
        RunError: they are none.
    """
    match content:
        case {"seconds": int() | float() as seconds, "images": int(images)} if (
            0 < seconds < MOST and 0 < images < MOST
        ):
            return float(seconds), images
    raise RunError("crashed", "the child said nothing sensible after a turn")


def _failure(content: object) -> RunError:
    told = content if isinstance(content, dict) else {}
    status = told.get("status")
    return RunError(status if status in STATUSES else "crashed", short_line(told.get("reason")))
