"""Chooses a row: the best by an objective among those that meet every demand.

Where rows tie by the objective, the more accurate one is chosen, then the one that is cheaper in
training time, memory, parameters and energy, in this order, then by name. So no other row that
qualifies is at least as good on all of these axes and better on one. An axis of which a row's value
is unknown counts as worse there than any value known.
"""

import math
import statistics as stdlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from results.choice.constraints import Constraints, Miss, charged, misses
from results.errors import ResultsError
from results.records.record import RunRecord
from results.render.columns import failure_text
from results.rows.comparable import Row, is_at_chance, labels
from results.rows.rows import TARGETS, table_rows
from results.rows.summary import Summary, summarize
from results.text import format_percent, percent, points

ACCURACY, PER_SECOND, PER_JOULE, TO_TARGET = OBJECTIVES = (
    "accuracy",
    "accuracy-per-second",
    "accuracy-per-joule",
    "time-to-target",
)
DEFAULT_TARGET = "0.90"
BEST_VALIDATION = "best_validation_accuracy"
COST_KEYS = ("train_time_s", "peak_memory_bytes", "num_params", "energy_j")


@dataclass(frozen=True, slots=True)
class Objective:
    """What is to be best.

    Attributes:
        by: One of OBJECTIVES.
        target: Validation accuracy that time-to-target asks for, one of TARGETS or the runs' own.
        is_own: Whether it is the target at which the runs ended (`run --target`).
    """

    by: str = ACCURACY
    target: str = DEFAULT_TARGET
    is_own: bool = False

    def __post_init__(self) -> None:
        """Refuses what no row could be judged by."""
        if self.by not in OBJECTIVES:
            choices = ", ".join(OBJECTIVES)
            raise ResultsError(f"cannot choose by {self.by!r}; choose from {choices}")
        if self.target not in TARGETS and not self.is_own:
            choices = ", ".join(TARGETS)
            raise ResultsError(f"no time to {self.target!r} is kept; choose from {choices}")

    def value(self, row: Row) -> float | None:
        """The row's value in its own unit, or None where it is unknown or was never reached."""
        if self.by == TO_TARGET:
            return self.time_to_target(row)
        accuracy: float | None = row["test_accuracy"]
        if self.by == ACCURACY or accuracy is None:
            return accuracy
        cost = charged(row, "train_time_s" if self.by == PER_SECOND else "energy_j")
        return accuracy / cost if cost else None

    def time_to_target(self, row: Row) -> float | None:
        """Training seconds of the row to the target; None where unknown or never reached."""
        if row["target"] == float(self.target):  # measured, even where a record has no curve
            seconds: float | None = row["target_time_s"]
            return seconds
        return (row["time_to_target_s"] or {}).get(self.target)

    def is_beyond_end(self, row: Row) -> bool:
        """Whether its runs ended at a lower target of their own, and so never tried."""
        return row["target"] is not None and row["target"] < float(self.target)

    def is_missed(self, row: Row) -> bool:
        """Whether a row without a time to the target is known to have missed it."""
        if row["target"] == float(self.target):
            return bool(row["n_target_missed"])
        has_tried = row["time_to_target_s"] is not None and not self.is_beyond_end(row)
        return has_tried and self.target in TARGETS


@dataclass(frozen=True)
class Candidate:
    """A row that may be chosen.

    Attributes:
        label: what it is called, told apart from its namesakes.
        row: its table row.
        summary: its runs.
        misses: the demands that it does not meet.
        fault: why it is out of the question whatever is demanded, or None.
    """

    label: str
    row: Row
    summary: Summary
    misses: tuple[Miss, ...] = ()
    fault: str | None = None

    @property
    def why(self) -> str | None:
        """Why it does not qualify, or None if it does."""
        return self.fault or "; ".join(miss.why for miss in self.misses) or None

    @property
    def relative_excess(self) -> float:
        """By how much it misses what it misses most; infinite where nothing helps."""
        if self.fault:
            return math.inf
        return max((miss.relative_excess for miss in self.misses), default=0.0)


@dataclass(frozen=True)
class Choice:
    """The answer.

    Attributes:
        objective: what was to be best.
        constraints: what was demanded.
        qualifying: candidates that meet every demand, best first.
        excluded: all others, the nearest to qualifying first.
    """

    objective: Objective
    constraints: Constraints
    qualifying: tuple[Candidate, ...]
    excluded: tuple[Candidate, ...]

    @property
    def records(self) -> list[RunRecord]:
        """All runs behind it."""
        candidates = [*self.qualifying, *self.excluded]
        return [record for candidate in candidates for record in candidate.summary.records]

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
        if self.qualifying or not self.excluded:
            return None
        first = self.excluded[0]
        return first if math.isfinite(first.relative_excess) else None

    @cached_property
    def front(self) -> tuple[Candidate, ...]:
        """Those that qualify and that no other beats on every axis, best first."""
        front: dict[int, tuple[float, ...]] = {}
        for index, candidate in enumerate(self.qualifying):
            # Whoever beats a row stands before it, and on the front or behind one that beats both.
            axes = axes_of(candidate.row, self.objective)
            if not any(beats(other, axes) for other in front.values()):
                front[index] = axes
        return tuple(self.qualifying[index] for index in front)


def choose(
    records: Iterable[RunRecord],
    constraints: Constraints | None = None,
    objective: Objective | None = None,
) -> Choice:
    """The best of some comparable runs; the order of the records does not matter.

    Args:
        records: Ordinary runs, failed ones too: they are listed as what they are.
        constraints: What must be kept; by default nothing.
        objective: What is to be best; by default accuracy.
    """
    constraints, objective = constraints or Constraints(), objective or Objective()
    candidates = _candidates(records, constraints, objective)
    qualifying = [candidate for candidate in candidates if candidate.why is None]
    excluded = [candidate for candidate in candidates if candidate.why is not None]
    qualifying.sort(key=lambda one: (axes_of(one.row, objective), *_name(one)))
    excluded.sort(key=lambda one: (one.relative_excess, axes_of(one.row, objective), *_name(one)))
    return Choice(objective, constraints, tuple(qualifying), tuple(excluded))


def axes_of(row: Row, objective: Objective) -> tuple[float, ...]:
    """What a row is judged by, most important first; less is better, unknown is infinite."""
    value = objective.value(row)
    is_gain = objective.by != TO_TARGET
    gains = [-value if is_gain and value is not None else value, _negative(row["test_accuracy"])]
    costs = [charged(row, key) for key in COST_KEYS]
    return tuple(math.inf if axis is None else axis for axis in [*gains, *costs])


def beats(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    """Whether one row is as good as another on every axis, and better on one."""
    return ours != theirs and all(our <= their for our, their in zip(ours, theirs, strict=True))


def _candidates(
    records: Iterable[RunRecord], constraints: Constraints, objective: Objective
) -> list[Candidate]:
    summaries = summarize(sorted(records, key=_canonical))
    of_ids = {summary.record_ids: summary for summary in summaries}
    rows = table_rows(summaries)
    return [
        _candidate(label, row, of_ids[tuple(row["record_ids"])], constraints, objective)
        for row, label in zip(rows, labels(rows), strict=True)
    ]


def _canonical(record: RunRecord) -> tuple[str, str, str]:
    return str(record.spec["model"]), f"{record.spec['seed']:>20}", record.record_id


def _candidate(
    label: str, row: Row, summary: Summary, constraints: Constraints, objective: Objective
) -> Candidate:
    fault = _fault(row, summary)
    if fault:
        return Candidate(label, row, summary, fault=fault)
    missed = [*misses(row, constraints), *_objective_misses(row, summary, objective)]
    distinct = {miss.why: miss for miss in missed}  # energy may be unknown to both
    return Candidate(label, row, summary, tuple(distinct.values()))


def _fault(row: Row, summary: Summary) -> str | None:
    if row["status"] != "ok":
        return failure_text(row)
    if is_at_chance(row):
        return _chance_text(summary)
    return "accuracy unknown" if row["test_accuracy"] is None else None


def _chance_text(summary: Summary) -> str:
    guessing = {record.spec["seed"] for record in summary.records if "at_chance" in record.flags}
    if len(guessing) < summary.n_seeds:
        return f"at chance with {len(guessing)} of {summary.n_seeds} seeds"
    return "at chance: it has learnt nothing"


def _objective_misses(row: Row, summary: Summary, objective: Objective) -> list[Miss]:
    if objective.value(row) is not None:
        return []
    if objective.by != TO_TARGET:
        key, noun = {
            PER_SECOND: ("train_time_s", "train time"),
            PER_JOULE: ("energy_j", "energy"),
        }[objective.by]
        return [Miss(f"--by {objective.by}", key, None, 0.0, f"{noun} unknown")]
    return [_target_miss(row, summary, objective)]


def _target_miss(row: Row, summary: Summary, objective: Objective) -> Miss:
    option, bound = f"--target {objective.target}", float(objective.target)
    place, best, excess = format_percent(bound), _best_validation(summary), ""
    if not objective.is_missed(row):
        best, why = None, f"{_why_no_time(row, objective)}, so time to {place} unknown"
    elif best is None:  # a record that was too long has lost its curve
        why = f"validation never {place}"
    else:
        why = f"validation never {place} ({percent(best)})"
        excess = f"{points(bound - best)} points under"
    return Miss(option, BEST_VALIDATION, best, bound, why, excess)


def _why_no_time(row: Row, objective: Objective) -> str:
    if objective.is_beyond_end(row):
        return f"ended at {format_percent(row['target'])}"
    return "no curve" if row["time_to_target_s"] is None else "not a target of its own"


def _best_validation(summary: Summary) -> float | None:
    """The best that validation was in a seed like most of those that missed a target."""
    bests = [max(point[3] for point in record.curve) for record in summary.finished if record.curve]
    # at least half of the seeds missed it: the lower middle did
    return stdlib.median_low(bests) if bests else None


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _name(candidate: Candidate) -> tuple[str, tuple[str, ...]]:
    return candidate.label, candidate.summary.record_ids
