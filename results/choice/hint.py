"""Where every run was too long: what a shorter one may come to, from the curves of validation."""

import shlex
from dataclasses import dataclass

from results.choice.choose import Candidate, Choice
from results.statistics import mean
from results.text import format_seconds, percent


@dataclass(frozen=True, slots=True)
class Hint:
    """What a row had learnt by the time that was demanded: means over the seeds that say it.

    Attributes:
        candidate: the row.
        seconds: on the training clock, at the last point of the curve within the demand.
        validation_accuracy: there, a fraction.
    """

    candidate: Candidate
    seconds: float
    validation_accuracy: float


def find_hint(choice: Choice) -> Hint | None:
    """The best that any row had by the seconds demanded, if that alone keeps it from qualifying."""
    demanded = choice.constraints
    if choice.qualifying or demanded.max_seconds is None:
        return None
    too_long = [one for one in choice.excluded if [m.key for m in one.misses] == ["train_time_s"]]
    hints = [hint for one in too_long if (hint := _hint(one, demanded.max_seconds))]
    least = demanded.min_accuracy or 0.0
    enough = [hint for hint in hints if hint.validation_accuracy >= least]
    return max(enough, key=lambda hint: hint.validation_accuracy, default=None)


def hint_sentence(hint: Hint, max_seconds: float) -> str:
    """What it had by then, and the command that measures it."""
    row = hint.candidate.row
    budget = f"{max_seconds:.15g}s"
    base, *changes = str(row["recipe"]).split("+")
    command = f"fmnist-bench run --models {shlex.quote(row['model'])} --budget {budget}"
    name, _, protocol = base.partition("@")  # a recipe is clean where its name says nothing
    command += f" --recipe {shlex.quote(name)}" if name != "default" else ""
    command += f" --protocol {shlex.quote(protocol)}" if protocol else ""
    # Names of many changes are cut short: then the budget is all that can be said.
    remedy = f"a budget of {budget}" if changes else f"`{command}`"
    return (
        f"after {format_seconds(hint.seconds)} of its {format_seconds(row['train_time_s'])} "
        f"{hint.candidate.label} had {percent(hint.validation_accuracy)} on validation; "
        f"measure it with {remedy}"
    )


def _hint(candidate: Candidate, max_seconds: float) -> Hint | None:
    if candidate.row["train_time_s"] is None:
        return None
    reached = []
    for record in candidate.summary.finished:
        within = [point for point in record.curve or () if point[0] <= max_seconds]
        reached += [max(within, key=lambda point: point[0])] if within else []
    if not reached:
        return None
    seconds, accuracies = [point[0] for point in reached], [point[3] for point in reached]
    return Hint(candidate, mean(seconds), mean(accuracies))
