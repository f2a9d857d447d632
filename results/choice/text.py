"""The choice in words: what is recommended and why, and what the runner-up would cost instead."""

import shlex
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from results.choice.choose import (
    ACCURACY,
    PER_JOULE,
    PER_SECOND,
    TO_TARGET,
    Candidate,
    Choice,
    charged,
)
from results.errors import NotComparable
from results.render.footer import comparability_warning
from results.rows.comparable import check_comparable
from results.rows.difference import (
    DIFFERENT,
    NOT_TOLD_APART,
    Difference,
    difference,
    half_width_text,
)
from results.rows.names import recorded_name
from results.statistics import mean
from results.text import (
    format_bytes,
    format_count,
    format_joules,
    format_percent,
    format_seconds,
    json_text,
    listed,
    one_line,
    percent,
    points,
    three_digits,
)

NEGLIGIBLE = 1e-3  # a share of a cost that nobody would choose by
COSTS: dict[str, tuple[Callable[[float], str], str]] = {
    "train_time_s": (format_seconds, " of training"),
    "peak_memory_bytes": (format_bytes, " of memory"),
    "energy_j": (format_joules, ""),
    "num_params": (format_count, " parameters"),
}


def choice_headline(choice: Choice) -> list[str]:
    """The recommendation, its reason and the runner-up, or what comes nearest; a fact a line."""
    warning = comparability_warning(choice.records)
    lines = [warning] if warning else []
    if choice.recommended is None:
        lines += ["recommended: none, as nothing qualifies", *_nearest_lines(choice)]
    else:
        lines += [f"recommended: {choice.recommended.label}", f"why: {reason(choice)}"]
        lines += _runner_up_lines(choice)
    return [one_line(line) for line in lines]


def reason(choice: Choice) -> str:
    """Why the recommended row was chosen, in one sentence; there must be one."""
    best, runner_up, by = choice.qualifying[0], choice.runner_up, choice.objective.by
    row, num_rows = best.row, len(choice.summaries)
    seeds = "one seed" if row["n_seeds"] == 1 else f"mean of {row['n_seeds']} seeds"
    facts = [
        f"{percent(row['test_accuracy'])} on {best.summary.spec['evaluation_split']} ({seeds})"
    ]
    for key in ("train_time_s", "peak_memory_bytes", "energy_j"):
        if row[key] is not None:
            text, unit = COSTS[key]
            facts.append(f"{text(row[key])}{unit}")
    if runner_up is None:
        merit = "the only row" if num_rows == 1 else f"the only one of {num_rows} rows to qualify"
    else:
        ours, theirs = (choice.objective.value(one.row) or 0.0 for one in (best, runner_up))
        rank = "tied for best" if ours == theirs else "best"
        merit = f"{rank} by {by} of {len(choice.qualifying)} rows that qualify"
        if by != ACCURACY:
            text = _aim_text(choice)
            merit += f" ({text(ours)}, {runner_up.label} {text(theirs)})"
    return f"{best.label} is {merit}: {', '.join(facts)}."


def hint(choice: Choice) -> str | None:
    """What a shorter run may come to, where every run was too long and that is all that is amiss.

    Of the rows that had learnt enough by the seconds demanded, as their curves of validation tell,
    it names the best, and the command that measures it.
    """
    most, least = choice.constraints.max_seconds, choice.constraints.min_accuracy or 0.0
    if choice.qualifying or most is None:
        return None
    known: list[tuple[float, float, Candidate]] = []  # accuracy and seconds, means over the seeds
    for one in choice.excluded:
        missed = [(miss.key, miss.value is not None) for miss in one.misses]
        if missed != [("train_time_s", True)]:
            continue
        curves = [run.curve or () for run in one.summary.finished]
        reached = [max(within) for c in curves if (within := [p for p in c if p[0] <= most])]
        if reached:
            known.append((mean([p[3] for p in reached]), mean([p[0] for p in reached]), one))
    enough = [entry for entry in known if entry[0] >= least]
    if not enough:
        return None
    accuracy, seconds, best = max(enough, key=lambda entry: entry[0])
    return (
        f"after {format_seconds(seconds)} of its {format_seconds(best.row['train_time_s'])} "
        f"{best.label} had {percent(accuracy)} on validation; measure it with "
        f"{_shorter_run(best, f'{most:.15g}s')}"
    )


def _shorter_run(candidate: Candidate, budget: str) -> str:
    base, *changes = str(candidate.row["recipe"]).split("+")
    if changes:  # their names are cut short where there are many
        return f"a budget of {budget}"
    name, _, protocol = base.partition("@")  # a recipe is clean where its name says nothing
    model = recorded_name(candidate.summary.spec)  # a command needs all of it
    command = ["fmnist-bench", "run", "--models", model, "--budget", budget]
    command += ["--recipe", name] if name != "default" else []
    command += ["--protocol", protocol] if protocol else []
    return f"`{shlex.join(command)}`"


def choice_json(choice: Choice) -> str:
    """The choice as one JSON object in base units, ending in a newline."""
    best, runner_up, objective = choice.recommended, choice.runner_up, choice.objective
    target = objective.target if objective.by == TO_TARGET else None
    answer = {
        "recommended": best and best.label,
        "reason": one_line(reason(choice)) if best else None,
        "runner_up": runner_up and runner_up.label,
        "runner_up_costs": best and runner_up and _costs(best, runner_up),
        "objective": {"by": objective.by, "target": target},
        "constraints": asdict(choice.constraints),
        "qualifying": [dict(candidate.row) for candidate in choice.qualifying],
        "excluded": [{"model": one.label, "why": one.why} for one in choice.excluded],
        "pareto_front": [candidate.label for candidate in choice.front],
        "nearest_miss": _nearest(choice),
    }
    return json_text(answer)


def _aim_text(choice: Choice) -> Callable[[float], str]:
    """How a value of the objective is written."""
    unit = {PER_SECOND: "second", PER_JOULE: "joule"}.get(choice.objective.by)
    if unit:
        return lambda value: f"{three_digits(value * 100)} points a {unit}"
    return lambda value: f"{format_seconds(value)} to {format_percent(choice.objective.target)}"


def _runner_up_lines(choice: Choice) -> list[str]:
    """How much less accurate the runner-up is and how sure that is, and what else it takes."""
    best, other = choice.recommended, choice.runner_up
    if best is None or other is None:
        return ["runner-up: none"]
    gap = _gap(best, other)
    if gap is None:
        lines = [f"runner-up: {other.label}, not comparable with {best.label}."]
    else:
        amount = f"{points(abs(gap.estimate))} points {'more' if gap.estimate < 0 else 'less'}"
        unknown = "unknown" if gap.knows_seeds else "unknown for other seeds"
        verdicts = {DIFFERENT: "told apart", NOT_TOLD_APART: "cannot be told apart"}
        sure = f"{verdicts.get(gap.verdict, unknown)}: {half_width_text(gap)}"
        lines = [f"runner-up: {other.label}, {amount} accurate ({sure})."]
    values = [
        (charged(best.row, key), charged(other.row, key), text, unit)
        for key, (text, unit) in COSTS.items()
    ]
    if choice.objective.by == TO_TARGET:
        ours, theirs = (choice.objective.value(one.row) for one in (best, other))
        values.append((ours, theirs, _aim_text(choice), ""))
    differences = [
        f"{'+' if theirs > ours else '-'}{text(abs(theirs - ours))}{unit}"
        for ours, theirs, text, unit in values
        if ours is not None and theirs is not None and abs(theirs - ours) > NEGLIGIBLE * ours
    ]
    if differences:
        lines.append(f"its cost, relative to {best.label}: {', '.join(differences)}.")
    return lines


def _gap(ours: Candidate, theirs: Candidate) -> Difference | None:
    """The difference of two rows' accuracies; None where they may not be compared."""
    try:
        check_comparable([ours.summary.records[0], theirs.summary.records[0]])
    except NotComparable:
        return None
    return difference(ours.summary, theirs.summary)


def _nearest_lines(choice: Choice) -> list[str]:
    nearest, remedy = choice.nearest, hint(choice)
    if nearest is None:
        return ["nearest: none; each row failed, learnt nothing, or does not know what is demanded"]
    missed = [
        f"{miss.why} (off by {three_digits(miss.relative_excess * 100)} %)"
        for miss in nearest.misses
    ]
    return [
        f"nearest: {nearest.label}, {listed(missed)}.",
        *([f"hint: {remedy}."] if remedy else []),
    ]


def _nearest(choice: Choice) -> dict[str, Any] | None:
    nearest, remedy = choice.nearest, hint(choice)
    if nearest is None:
        return None
    fields = ("constraint", "key", "value", "bound", "relative_excess")
    misses = [{name: getattr(miss, name) for name in fields} for miss in nearest.misses]
    return {"model": nearest.label, "misses": misses, "hint": one_line(remedy) if remedy else None}


def _costs(best: Candidate, other: Candidate) -> dict[str, Any]:
    gap = _gap(other, best)
    costs: dict[str, Any] = {}
    for key in ("test_accuracy", *COSTS):
        ours, theirs = other.row[key], best.row[key]
        is_known = ours is not None and theirs is not None
        costs[f"{key}_difference"] = ours - theirs if is_known else None
    return costs | {
        "test_accuracy_difference_ci95": list(gap.interval) if gap and gap.interval else None,
        "test_accuracy_verdict": gap and gap.verdict,
    }
