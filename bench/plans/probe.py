"""`--plan auto`: the plan with the least compilation and training time for this very budget.

Plans that need no compiler are timed first, in interleaved rounds of real steps. A compiled one is
tried where its compilation can pay: it is compared by compile seconds + steps x seconds a step, the
steps being those that the budget pays for at the best uncompiled pace. What was tried is recorded,
and what was left untried says why.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bench.errors import short_line
from bench.spec.budget import Budget
from bench.spec.plan import Plan
from fmnist_models.external import message_of

CAP_S = 15.0
MAX_SHARE = 0.1  # of a seconds budget: no probe of half a training
ROUNDS = 5
MAX_ERROR_CHARS = 100
KEPT_STEPS = 3  # of each candidate in a record; the cache of timings keeps all


@dataclass(slots=True)
class PlanCandidate:
    """A plan, the seconds of its timed steps, and why it is out of the race if it is.

    Attributes:
        plan: how to execute.
        step_seconds: raw; empty where it was not tried.
        compile_s: seconds before the first step could run; 0 without a compiler.
        is_cold: whether some of the code had to be compiled, not loaded from disk.
        error: why it failed, or was not tried.
    """

    plan: Plan
    step_seconds: list[float] = field(default_factory=list)
    compile_s: float = 0.0
    is_cold: bool = False
    error: str | None = None

    @property
    def best_s(self) -> float:
        """The fastest step: other processes can only slow a step down."""
        return min(self.step_seconds) if self.error is None else math.inf

    def total_s(self, steps: float) -> float:
        """Seconds of compilation and of so many steps."""
        return self.compile_s + steps * self.best_s

    def as_plain(self, digits: int = 6, fastest: int = KEPT_STEPS) -> dict[str, Any]:
        """JSON values; a record, of at most 4 KB, keeps the fastest steps, to the microsecond."""
        plain: dict[str, Any] = {"plan": str(self.plan)}
        if self.step_seconds:
            plain["step_s"] = [round(s, digits) for s in sorted(self.step_seconds)[:fastest]]
        if self.compile_s:
            plain |= {"compile_s": round(self.compile_s, 2), "cold": self.is_cold}
        return plain | ({"error": self.error[:MAX_ERROR_CHARS]} if self.error else {})

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "PlanCandidate":
        """The candidate written by `as_plain`."""
        return cls(
            Plan.parse(plain["plan"]),
            [float(seconds) for seconds in plain["step_s"]],
            float(plain.get("compile_s", 0.0)),
            bool(plain.get("cold", False)),
        )


class Compilation(NamedTuple):
    """Seconds that a plan took to be ready, and whether its code was new to this machine."""

    seconds: float
    is_cold: bool


@dataclass(frozen=True)
class Probe:
    """How plans are tried on one configuration.

    Attributes:
        time_steps: seconds of some steps of a plan, its warm-up done.
        compile: makes a compiled plan ready and says what that took.
        expected_compile_s: about how long that will take, for one never compiled here.
        steps_at: steps that the budget pays for, all seeds together, at so many seconds a step.
        hope: share of the training that a compiled plan may save at best.
        now: host seconds.
        why_not: why the recipe leaves no place for a plan; None where it does.
    """

    time_steps: Callable[[Plan], Sequence[float]]
    compile: Callable[[Plan], Compilation]
    expected_compile_s: float
    steps_at: Callable[[float], float]
    hope: float
    now: Callable[[], float]
    why_not: Callable[[Plan], str | None] = lambda _plan: None

    def choose(
        self,
        plans: Sequence[Plan],
        compiled: Callable[[Plan], Sequence[Plan]],
        cap_s: float,
        known: Mapping[Plan, PlanCandidate],
    ) -> tuple[Plan, list[PlanCandidate]]:
        """The best plan and all that was seen.

        Args:
            plans: that need no compiler; where all of them fail, the last failure is raised.
            compiled: compiled plans worth a thought, given the best of the others.
            cap_s: seconds after which no further round begins; the first is always whole.
            known: what an earlier run on this machine has timed.
        """
        started = self.now()
        tried = [self._refused(plan) or known.get(plan) or PlanCandidate(plan) for plan in plans]
        if not all(candidate.step_seconds or candidate.error for candidate in tried):
            tried = [self._refused(plan) or PlanCandidate(plan) for plan in plans]
            self._time_in_rounds(tried, started + cap_s)
        best = min(tried, key=lambda candidate: candidate.best_s)
        steps = self.steps_at(best.best_s)
        for plan in compiled(best.plan):
            left_s = CAP_S - (self.now() - started)
            refused = self._refused(plan)
            tried.append(refused or self._with_compiler(plan, known.get(plan), best, steps, left_s))
        return min(tried, key=lambda candidate: candidate.total_s(steps)).plan, tried

    def _refused(self, plan: Plan) -> PlanCandidate | None:
        reason, _, _remedy = (self.why_not(plan) or "").partition(";")
        return PlanCandidate(plan, error=f"not tried: {reason}") if reason else None

    def _with_compiler(
        self,
        plan: Plan,
        known: PlanCandidate | None,
        best: PlanCandidate,
        steps: float,
        left_s: float,
    ) -> PlanCandidate:
        if known is not None and not known.is_cold:
            return known
        expected_s, training_s = self._expected_s(known), steps * best.best_s
        if expected_s > min(left_s, self.hope * training_s):
            reason = f"not tried: compiling takes about {expected_s:.0f} s"
            return PlanCandidate(plan, error=f"{reason}, training {training_s:.1f} s")
        candidate = PlanCandidate(plan)
        try:
            candidate.compile_s, candidate.is_cold = self.compile(plan)
            for _ in range(ROUNDS):
                candidate.step_seconds.extend(self.time_steps(plan))
        except Exception as error:  # auto may fall to its next choice; the record says so
            candidate.error = _one_line(error)
        return candidate

    def _expected_s(self, known: PlanCandidate | None) -> float:
        """Code compiled in an earlier run is loaded from disk: about a quarter of the time."""
        return known.compile_s / 4 if known else self.expected_compile_s

    def _time_in_rounds(self, tried: Sequence[PlanCandidate], deadline: float) -> None:
        for _ in range(ROUNDS):
            for candidate in tried:
                self._time(candidate, is_last=_remaining(tried) == 1)
            if self.now() > deadline:
                break

    def _time(self, candidate: PlanCandidate, *, is_last: bool) -> None:
        if candidate.error is not None:
            return
        try:
            candidate.step_seconds.extend(self.time_steps(candidate.plan))
        except Exception as error:
            if is_last:
                raise
            candidate.error = _one_line(error)


def probe_seconds(budget: Budget) -> float:
    """Seconds after which no further round of a probe begins."""
    return min(CAP_S, MAX_SHARE * budget.amount) if budget.unit == "s" else CAP_S


def _remaining(tried: Sequence[PlanCandidate]) -> int:
    return sum(candidate.error is None for candidate in tried)


def _one_line(error: Exception) -> str:
    return short_line(f"{type(error).__name__}: {message_of(error)}")
