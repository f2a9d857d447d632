"""Pacing: a budget becomes chunks of steps, and each step gets its fraction of the budget.

A chunk is at most 50 ms of predicted steps. Counted budgets (epochs, steps, images, flops) know
every fraction exactly. For seconds and joules the amount spent is read once a chunk, and the
fraction advances inside the chunk by the predicted cost of a step.
"""

from dataclasses import dataclass

CHUNK_S = 0.05
SMOOTHING = 0.3  # weight of the newest chunk in the predicted cost of a step


@dataclass(slots=True)
class Pacer:
    """How much of a budget is spent, and what a step costs."""

    limit: float  # the budget: steps for a counted one, else seconds or joules
    per_step: float  # predicted cost in the same unit; exactly 1 for a counted budget
    spent: float = 0.0  # when it was last read
    ahead: int = 0  # steps handed out since that reading

    @property
    def fraction(self) -> float:
        """Share of the budget spent, by prediction; 1 or more once it is all gone."""
        return (self.spent + self.ahead * self.per_step) / self.limit

    def next_fractions(self, max_steps: int, until: float = 1.0) -> list[float]:
        """Return the fraction at the start of each next step; empty once the budget is spent.

        They end at the first step that would start at or after the fraction `until`.
        """
        stop = min(until, 1.0)
        fractions: list[float] = []
        while len(fractions) < max_steps and (at := self.fraction) < stop:
            fractions.append(at)
            self.ahead += 1
        return fractions

    def observe(self, spent: float, steps: int, ahead: int) -> None:
        """Take a reading of what was spent, in the budget's unit.

        `steps` were between the last reading and this one, `ahead` handed out after it.
        """
        if steps:
            newest = (spent - self.spent) / steps
            self.per_step += SMOOTHING * (newest - self.per_step)
        self.spent = spent
        self.ahead = ahead


def chunk_steps(step_s: float) -> int:
    """Return how many steps of a predicted length fit a chunk, at least one."""
    return max(1, int(CHUNK_S / step_s)) if step_s > 0 else 1
