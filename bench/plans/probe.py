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
    """A plan, the seconds of its timed steps, and why it is out of the race if it is."""

    plan: Plan
    step_seconds: list[float] = field(default_factory=list)  # raw; empty where it was not tried
    compile_s: float = 0.0  # before the first step could run; 0 without a compiler
    is_cold: bool = False  # whether some of the code had to be compiled, not loaded from disk
    error: str | None = None  # why it failed, or was not tried

    @property
    def best_s(self) -> float:
        """The fastest step: other processes can only slow a step down."""
        return min(self.step_seconds) if self.error is None else math.inf

    def total_s(self, steps: float) -> float:
        """Return the seconds of compilation and of so many steps."""
        return self.compile_s + steps * self.best_s

    def as_plain(self, digits: int = 6, fastest: int = KEPT_STEPS) -> dict[str, Any]:
        """Return JSON values; a record, of at most 4 KB, keeps the fastest steps, in whole us."""
        plain: dict[str, Any] = {"plan": str(self.plan)}
        if self.step_seconds:
            plain["step_s"] = [round(s, digits) for s in sorted(self.step_seconds)[:fastest]]
        if self.compile_s:
            plain |= {"compile_s": round(self.compile_s, 2), "cold": self.is_cold}
        return plain | ({"error": self.error[:MAX_ERROR_CHARS]} if self.error else {})

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "PlanCandidate":
        """Read a candidate that `as_plain` has written."""
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
    """Tries plans on one configuration."""

    time_steps: Callable[[Plan], Sequence[float]]  # seconds of some steps, the warm-up done
    compile: Callable[[Plan], Compilation]  # makes a compiled plan ready
    expected_compile_s: float  # about how long that takes where it was never done here
    steps_at: Callable[[float], float]  # that the budget pays for at so many seconds a step
    hope: float  # share of the training that a compiled plan may save at best
    now: Callable[[], float]  # host seconds
    why_not: Callable[[Plan], str | None] = lambda _plan: None  # the recipe has no place for a plan

    def choose(
        self,
        plans: Sequence[Plan],
        compiled: Callable[[Plan], Sequence[Plan]],
        cap_s: float,
        known: Mapping[Plan, PlanCandidate],
    ) -> tuple[Plan, list[PlanCandidate]]:
        """Return the best plan and all that was tried.

        Args:
            plans: that need no compiler; where all of them fail, the last failure is raised.
            compiled: compiled plans worth a try, given the best of the others.
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
        # code compiled in an earlier run is loaded from disk: about a quarter of the time
        expected_s = known.compile_s / 4 if known else self.expected_compile_s
        training_s = steps * best.best_s
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

    def _time_in_rounds(self, tried: Sequence[PlanCandidate], deadline: float) -> None:
        for _ in range(ROUNDS):
            for candidate in tried:
                if candidate.error is not None:
                    continue
                try:
                    candidate.step_seconds.extend(self.time_steps(candidate.plan))
                except Exception as error:
                    if sum(other.error is None for other in tried) == 1:  # it is the last one left
                        raise
                    candidate.error = _one_line(error)
            if self.now() > deadline:
                break


def probe_seconds(budget: Budget) -> float:
    """Return the seconds after which no further round of a probe begins."""
    return min(CAP_S, MAX_SHARE * budget.amount) if budget.unit == "s" else CAP_S


def _one_line(error: Exception) -> str:
    return short_line(f"{type(error).__name__}: {message_of(error)}")
