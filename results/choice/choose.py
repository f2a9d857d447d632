"""Choose a row: the best by an objective among those that meet every demand.

Where rows tie by the objective, the more accurate one is chosen, then the one that is cheaper in
training time, memory, parameters and energy, in this order, then by name. So no other row that
qualifies is at least as good on all of these axes and better on one. An axis of which a row's value
is unknown counts as worse there than any value known.
"""

import math
import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from operator import gt, lt

from results.errors import ResultsError
from results.records.record import RunRecord
from results.render.columns import failure_text
from results.rows.comparable import Row, is_at_chance, labels, unbeaten
from results.rows.names import recorded_name
from results.rows.rows import rows_of
from results.rows.summary import Summary, summarize
from results.text import (
    format_bytes,
    format_count,
    format_joules,
    format_percent,
    format_seconds,
    percent,
)

ACCURACY, PER_SECOND, PER_JOULE, TO_TARGET = OBJECTIVES = (
    "accuracy",
    "accuracy-per-second",
    "accuracy-per-joule",
    "time-to-target",
)
DEFAULT_TARGET = 0.9
COST_KEYS = ("train_time_s", "peak_memory_bytes", "num_params", "energy_j")
_DEMANDS = (
    ("max_seconds", "--max-seconds", "train_time_s", "train time", format_seconds),
    ("min_accuracy", "--min-accuracy", "test_accuracy", "accuracy", percent),
    ("max_memory_bytes", "--max-memory", "peak_memory_bytes", "memory", format_bytes),
    ("max_joules", "--max-joules", "energy_j", "energy", format_joules),
    ("max_params", "--max-params", "num_params", "params", format_count),
)
_BUDGET_UNITS = {"train_time_s": "s", "energy_j": "J"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What a row must keep to qualify, in base units; None demands nothing."""

    max_seconds: float | None = None  # on the training clock
    min_accuracy: float | None = None  # on the test images, a fraction
    max_memory_bytes: float | None = None  # peak of any seed
    max_joules: float | None = None  # of training
    max_params: float | None = None


@dataclass(frozen=True, slots=True)
class Miss:
    """One demand that a row does not meet."""

    constraint: str  # as on the command line: --max-seconds 5
    key: str  # of the row, or best_validation_accuracy of a target
    value: float | None  # the row's as charged, in the base unit; None where it is unknown
    bound: float
    why: str  # the same in words: train time 30.0 s > 5.00 s

    @property
    def relative_excess(self) -> float:
        """The share of the bound that is missing or too much; infinite for an unknown value."""
        return math.inf if self.value is None else abs(self.value - self.bound) / self.bound


@dataclass(frozen=True, slots=True)
class Objective:
    """What is to be best."""

    by: str = ACCURACY  # one of OBJECTIVES
    target: float = DEFAULT_TARGET  # validation accuracy that time-to-target asks for

    def __post_init__(self) -> None:
        """Refuse an objective that does not exist, in a line that names the choices."""
        if self.by not in OBJECTIVES:
            choices = ", ".join(OBJECTIVES)
            raise ResultsError(f"cannot choose by {self.by!r}; choose from {choices}")

    def value(self, row: Row) -> float | None:
        """The row's value in its own unit, or None where it is unknown or was never reached."""
        if self.by == TO_TARGET:
            return self.time_to_target(row)[0]
        accuracy: float | None = row["test_accuracy"]
        if self.by == ACCURACY or accuracy is None:
            return accuracy
        cost = charged(row, "train_time_s" if self.by == PER_SECOND else "energy_j")
        return accuracy / cost if cost else None

    def time_to_target(self, row: Row) -> tuple[float | None, str | None]:
        """Training seconds to the target, and why these are unknown; neither where it was missed.

        Measured where the runs ended at this very target, even if a record has lost its curve.
        """
        end, times = row["target"], row["time_to_target_s"]
        if end == self.target:
            return row["target_time_s"], None
        known = {float(target): seconds for target, seconds in (times or {}).items()}
        seconds = known.get(self.target)
        if seconds is None and end is not None and end < self.target:
            return None, f"ended at {format_percent(end)}"
        if times is None:
            return None, "no curve"
        return seconds, None if self.target in known else "not a target of its own"


@dataclass(frozen=True)
class Candidate:
    """A row that may be chosen, by a label that no other has, and what keeps it from qualifying."""

    label: str
    row: Row
    summary: Summary = field(compare=False)  # would compare all records; the row has their ids
    misses: tuple[Miss, ...] = ()

    @property
    def why(self) -> str | None:
        """Why it does not qualify, or None if it does."""
        return "; ".join(miss.why for miss in self.misses) or None

    @property
    def relative_excess(self) -> float:
        """By how much it misses what it misses most; infinite where nothing helps."""
        return max((miss.relative_excess for miss in self.misses), default=0.0)


@dataclass(frozen=True)
class Choice:
    """The answer."""

    objective: Objective
    constraints: Constraints
    qualifying: tuple[Candidate, ...]  # best first
    excluded: tuple[Candidate, ...]  # the nearest to qualifying first

    @property
    def summaries(self) -> list[Summary]:
        """All rows as summaries, those that qualify first."""
        return [candidate.summary for candidate in (*self.qualifying, *self.excluded)]

    @property
    def records(self) -> list[RunRecord]:
        """All runs behind it."""
        return [record for summary in self.summaries for record in summary.records]

    @property
    def recommended(self) -> Candidate | None:
        """The best that qualifies; None where none does."""
        return self.qualifying[0] if self.qualifying else None

    @property
    def runner_up(self) -> Candidate | None:
        """The second best that qualifies."""
        return self.qualifying[1] if len(self.qualifying) > 1 else None

    @property
    def nearest(self) -> Candidate | None:
        """Where nothing qualifies, what misses by the smallest share; None without any share."""
        first = None if self.qualifying else next(iter(self.excluded), None)
        return first if first and math.isfinite(first.relative_excess) else None

    @cached_property
    def front(self) -> tuple[Candidate, ...]:
        """Those that qualify and that no other beats on every axis, best first."""
        axes = [axes_of(one.row, self.objective) for one in self.qualifying]
        best = unbeaten(axes)
        return tuple(o for o, own in zip(self.qualifying, axes, strict=True) if own in best)


def choose(
    records: Iterable[RunRecord],
    constraints: Constraints | None = None,
    objective: Objective | None = None,
) -> Choice:
    """Choose the best of some comparable runs: by default the most accurate, without a limit.

    The order of the records does not matter; failed ones are listed as what they are.
    """
    constraints, objective = constraints or Constraints(), objective or Objective()
    summaries = summarize(
        sorted(records, key=lambda r: (recorded_name(r.spec), f"{r.spec['seed']:>20}", r.record_id))
    )
    rows = rows_of(summaries)
    candidates = [
        Candidate(label, row, summary, _misses(row, summary, constraints, objective))
        for label, row, summary in zip(labels(rows), rows, summaries, strict=True)
    ]
    candidates.sort(
        key=lambda one: (
            *(one.relative_excess, axes_of(one.row, objective)),
            *(recorded_name(one.summary.spec), one.label),  # whatever a person reads in its place
        )
    )
    qualifying = tuple(one for one in candidates if one.why is None)
    excluded = tuple(one for one in candidates if one.why is not None)
    return Choice(objective, constraints, qualifying, excluded)


def axes_of(row: Row, objective: Objective) -> tuple[float, ...]:
    """What a row is judged by, most important first; less is better, unknown is infinite."""
    value, accuracy = objective.value(row), row["test_accuracy"]
    if value is not None and objective.by != TO_TARGET:
        value = -value
    costs = [charged(row, key) for key in COST_KEYS]
    axes = [value, None if accuracy is None else -accuracy, *costs]
    return tuple(math.inf if axis is None else axis for axis in axes)


def _unmet(row: Row, constraints: Constraints) -> list[Miss]:
    """What of the demands a row does not meet, a value that is unknown included."""
    found = []
    for name, option, key, noun, text in _DEMANDS:
        bound, value = getattr(constraints, name), charged(row, key)
        sign, is_broken = ("<", lt) if name == "min_accuracy" else (">", gt)
        if bound is None or (value is not None and not is_broken(value, bound)):
            continue
        why = f"{noun} unknown"
        if value is not None:
            ours, theirs = text(value), text(bound)
            if ours == theirs:  # three digits do not show what is missing
                ours, theirs = f"{value:.9g}", f"{bound:.9g}"
            why = f"{noun} {ours} {sign} {theirs}"
        is_scaled = text in (format_bytes, format_count)
        typed = text(bound).replace(" ", "") if is_scaled else f"{bound:g}"
        found.append(Miss(f"{option} {typed}", key, value, bound, why))
    return found


def charged(row: Row, key: str) -> float | None:
    """A row's value, but no more than its budget grants.

    A budget of seconds or joules is overrun by a chunk at most: whoever asks for 30 s means the
    rows that were trained for 30 s, and one is not faster than another by what it overran less.
    """
    value: float | None = row[key]
    unit = _BUDGET_UNITS.get(key)
    if value is None or unit is None:
        return value
    budget = re.fullmatch(rf"(\d+(?:\.\d+)?(?:e[+-]?\d+)?){unit}", row["budget"])
    return min(value, float(budget[1])) if budget else value


def _misses(
    row: Row, summary: Summary, constraints: Constraints, objective: Objective
) -> tuple[Miss, ...]:
    if fault := _fault(row, summary):
        return (Miss("", "status", None, 0.0, fault),)
    found = _unmet(row, constraints)
    if objective.value(row) is None:
        found.append(_objective_miss(row, summary, objective))
    return tuple({miss.why: miss for miss in found}.values())  # energy may be unknown to both


def _fault(row: Row, summary: Summary) -> str | None:
    """Why a row is out of the question whatever is demanded."""
    if row["status"] != "ok":
        return failure_text(row)
    if not is_at_chance(row):
        return "accuracy unknown" if row["test_accuracy"] is None else None
    guessing = {record.spec["seed"] for record in summary.records if "at_chance" in record.flags}
    if len(guessing) < summary.n_seeds:
        return f"at chance with {len(guessing)} of {summary.n_seeds} seeds"
    return "at chance: it has learnt nothing"


def _objective_miss(row: Row, summary: Summary, objective: Objective) -> Miss:
    if objective.by == PER_SECOND:
        return Miss(f"--by {objective.by}", "train_time_s", None, 0.0, "train time unknown")
    if objective.by == PER_JOULE:
        return Miss(f"--by {objective.by}", "energy_j", None, 0.0, "energy unknown")
    _, unknown = objective.time_to_target(row)
    bests = [max(point[3] for point in record.curve) for record in summary.finished if record.curve]
    # At least half of the seeds missed it: the lower middle did. A long record has lost its curve.
    best = None if unknown or not bests else statistics.median_low(bests)
    place = format_percent(objective.target)
    why = f"validation never {place}" + (f" ({percent(best)})" if best is not None else "")
    if unknown:
        why = f"{unknown}, so time to {place} unknown"
    option, key = f"--target {objective.target:g}", "best_validation_accuracy"
    return Miss(option, key, best, objective.target, why)
