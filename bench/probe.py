"""`--plan auto`: times the candidate plans on the real step and takes the fastest.

Candidates are memory formats and thread counts of the eager step; what was tried is recorded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from bench.budget import Budget
from bench.plan import Plan

CAP_S = 15.0
MAX_SHARE = 0.1  # of a seconds budget: no probe of half a training
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan and the seconds of its timed steps."""

    plan: Plan
    step_seconds: tuple[float, ...]

    @property
    def best_s(self) -> float:
        """The fastest step: other processes can only slow a step down."""
        return min(self.step_seconds)

    def as_plain(self) -> dict[str, Any]:
        """JSON values for a record, rounded to microseconds: a record is at most 4 KB."""
        return {"plan": str(self.plan), "step_s": [round(s, 6) for s in self.step_seconds]}


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

    Args:
        plans: the candidates; a single one is taken untimed.
        time_steps: seconds of some steps of a plan, its warm-up done.
        now: host seconds.
        cap_s: seconds after which no further round begins; the first is always whole.
    """
    if len(plans) == 1:
        return plans[0], []
    seconds: dict[Plan, list[float]] = {plan: [] for plan in plans}
    deadline = now() + cap_s
    for _ in range(ROUNDS):
        for plan in plans:
            seconds[plan].extend(time_steps(plan))
        if now() > deadline:
            break
    tried = [Candidate(plan, tuple(values)) for plan, values in seconds.items()]
    return min(tried, key=lambda candidate: candidate.best_s).plan, tried
