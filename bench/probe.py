"""`--plan auto`: times the candidate plans on the real step and takes the fastest.

Candidates are memory formats and thread counts of the eager step; what was tried is recorded.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from bench.budget import Budget
from bench.plan import Plan

CAP_S = 15.0
MAX_SHARE = 0.1  # of a seconds budget: no probe of half a training
ROUNDS = 5
MAX_ERROR_CHARS = 100


@dataclass(slots=True)
class Candidate:
    """A plan, the seconds of its timed steps, and why it is out of the race if it is."""

    plan: Plan
    step_seconds: list[float] = field(default_factory=list)
    error: str | None = None

    @property
    def best_s(self) -> float:
        """The fastest step: other processes can only slow a step down."""
        return min(self.step_seconds) if self.error is None else math.inf

    def as_plain(self) -> dict[str, Any]:
        """JSON values for a record, rounded to microseconds: a record is at most 4 KB."""
        plain = {"plan": str(self.plan), "step_s": [round(s, 6) for s in self.step_seconds]}
        return plain | ({"error": self.error[:MAX_ERROR_CHARS]} if self.error else {})


def candidate_plans(model: nn.Module, device_kind: str) -> tuple[Plan, ...]:
    """Plans worth timing: memory formats for convolutions, else one CPU thread against all.

    The steps of a linear net are so short that a second thread can cost more than it brings.
    """
    if any(isinstance(module, nn.Conv2d) for module in model.modules()):
        return Plan(), Plan(memory_format="channels_last")
    return (Plan(), Plan(threads=1)) if device_kind == "cpu" else (Plan(),)


def probe_seconds(budget: Budget) -> float:
    """Seconds after which no further round of a probe begins."""
    return min(CAP_S, MAX_SHARE * budget.amount) if budget.unit == "s" else CAP_S


def fastest(
    plans: Sequence[Plan],
    time_steps: Callable[[Plan], Sequence[float]],
    now: Callable[[], float],
    cap_s: float,
) -> tuple[Plan, list[Candidate]]:
    """Times the plans in interleaved rounds and gives the fastest with all that was seen.

    A plan that fails falls out; where all do, the last failure is raised.

    Args:
        plans: the candidates; a single one is taken untimed.
        time_steps: seconds of some steps of a plan, its warm-up done.
        now: host seconds.
        cap_s: seconds after which no further round begins; the first is always whole.
    """
    if len(plans) == 1:
        return plans[0], []
    tried = [Candidate(plan) for plan in plans]
    deadline = now() + cap_s
    for _ in range(ROUNDS):
        for candidate in tried:
            _time(candidate, time_steps, is_last=_remaining(tried) == 1)
        if now() > deadline:
            break
    return min(tried, key=lambda candidate: candidate.best_s).plan, tried


def _remaining(tried: Sequence[Candidate]) -> int:
    return sum(candidate.error is None for candidate in tried)


def _time(
    candidate: Candidate, time_steps: Callable[[Plan], Sequence[float]], *, is_last: bool
) -> None:
    if candidate.error is not None:
        return
    try:
        candidate.step_seconds.extend(time_steps(candidate.plan))
    except Exception as error:
        if is_last:
            raise
        candidate.error = f"{type(error).__name__}: {error}".splitlines()[0]
