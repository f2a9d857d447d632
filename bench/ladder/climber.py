"""A rung under way, seen from the parent: its child, its turns, and what became of it."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.errors import RunError, short_line
from bench.ladder.child import COUNTED, FAILURE, READY, TURN, RungJob, climb
from bench.ladder.rungs import RungSpec
from bench.sweep.request import Request
from bench.workers import messages
from bench.workers.interruption import Interruption
from bench.workers.isolation import STOPPED, Child


@dataclass
class Climber:
    """A rung and its child.

    Attributes:
        rung: what is measured.
        job: what its child is given.
        interruption: what the user has asked for so far.
        request: timeout of the set-up or of one turn, limit of the child's memory.
        status: `ok` as long as nothing has gone wrong.
        reason: what has.
        ready: what the child said when it was set up; None before.
        turns: seconds and images of each turn so far.
        uncounted: why what is counted after all turns is unknown; empty where it is not.
    """

    rung: RungSpec
    job: RungJob
    interruption: Interruption
    request: Request
    status: str = "ok"
    reason: str | None = None
    ready: dict[str, Any] | None = None
    turns: list[tuple[float, int]] = field(default_factory=list)
    uncounted: str = ""
    _child: Child | None = field(default=None, init=False)

    def set_up(self, tell: Callable[[str], None]) -> None:
        """Starts the child and waits until it is ready, or has failed.

        Args:
            tell: told of each phase.
        """
        if self.rung.refusal is not None:
            self.status, self.reason = "unsupported", self.rung.refusal
            return
        with self._failing():
            self._child = Child.start(climb, self.job, self.request.max_memory_bytes)
            self.ready = checked_ready(self._answer(READY, tell))

    def take_turn(self) -> None:
        """Lets the child train one turn and waits for its end; nothing where the rung failed."""
        if self._child is None or self.status != "ok":
            return
        with self._failing():
            try:
                messages.send(self._child.pipe, TURN)
            except OSError:  # it has died since its last turn
                raise self._death() from None
            self.turns.append(checked_turn(self._answer(TURN)))

    def count(self) -> None:
        """Lets the child count what would have disturbed its turns; they stay if it fails."""
        if self._child is None or self.status != "ok" or len(self.turns) < self.job.num_turns:
            return
        try:
            messages.send(self._child.pipe, COUNTED)
            self.ready = checked_ready(self._answer(COUNTED))
            if "kernels_per_step" not in self.ready["measured"]:
                self.uncounted = "torch's profiler saw none"
        except (OSError, RunError) as error:
            self.uncounted = f"it failed at the count: {short_line(str(error))}"

    def stop(self) -> None:
        """Ends the child; a rung without all of its turns was interrupted."""
        if self._child is not None:
            self._child.kill()
        if self.status == "ok" and len(self.turns) < self.job.num_turns:
            done = f" after {len(self.turns)} of {self.job.num_turns} turns"
            self.status, self.reason = "interrupted", STOPPED + done

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
            if kind == messages.PROGRESS:
                tell(short_line(str(content))[: messages.MAX_PHASE_CHARS])
            else:
                raise RunError("crashed", messages.unknown(kind))
        raise self._death()

    def _death(self) -> RunError:
        assert self._child is not None
        return self._child.close()

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


def checked_ready(content: object) -> dict[str, Any]:
    """What a child said when it was ready, or had counted.

    User code runs there, so nothing is taken on trust.

    Raises:
        RunError: it is not what `child.set_up` says.
    """
    try:
        plan, measured, conditions = (content[key] for key in ("plan", "measured", "conditions"))  # type: ignore[index]
        values = {str(name): float(value) for name, value in measured.items()}
        is_sound = all(map(math.isfinite, values.values())) and isinstance(conditions, dict)
    except (KeyError, TypeError, ValueError, AttributeError):
        is_sound = False
    if not is_sound:
        raise RunError("crashed", "the child said nothing sensible when it was ready")
    return {"plan": str(plan), "measured": values, "conditions": conditions}


def checked_turn(content: object) -> tuple[float, int]:
    """Seconds and images of a turn.

    Raises:
        RunError: they are none.
    """
    try:
        seconds, images = float(content["seconds"]), int(content["images"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        seconds, images = 0.0, 0
    if not (seconds > 0 and math.isfinite(seconds) and images > 0):
        raise RunError("crashed", "the child said nothing sensible after a turn")
    return seconds, images


def _failure(content: object) -> RunError:
    from results.records.record import STATUSES

    told = content if isinstance(content, dict) else {}
    status = told.get("status")
    return RunError(
        status if status in STATUSES else "crashed", short_line(str(told.get("reason")))
    )
