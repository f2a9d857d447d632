"""The choice in words: what is recommended and why, and what the runner-up would cost instead."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from results.choice.choose import ACCURACY, PER_JOULE, PER_SECOND, TO_TARGET, Candidate, Choice
from results.choice.constraints import charged
from results.choice.hint import find_hint, hint_sentence
from results.choice.table import table_notes
from results.errors import NotComparable
from results.render.columns import QUIET_FLAGS
from results.render.footer import FLAG_NOTES, comparability_warning, ground_lines
from results.rows.certainty import half_width_text
from results.rows.comparable import Row, check_comparable, holds_time_equal
from results.rows.difference import DIFFERENT, NOT_TOLD_APART, Difference, difference
from results.text import (
    format_bytes,
    format_count,
    format_joules,
    format_percent,
    format_seconds,
    listed,
    one_line,
    percent,
    points,
    three_digits,
)

NEGLIGIBLE = 1e-3  # a share of a cost that nobody would choose by


def choice_headline(choice: Choice) -> list[str]:
    """What a reader wants first: the recommendation, its reason and the runner-up."""
    if choice.recommended is None:
        lines = ["recommended: none, as nothing qualifies", *_nearest_lines(choice)]
    else:
        lines = [f"recommended: {choice.recommended.label}", f"why: {reason(choice)}"]
        lines += [runner_up_sentence(choice) or "runner-up: none"]
    warning = comparability_warning(choice.records)
    return [one_line(line) for line in ([warning] if warning else []) + lines]


def reason(choice: Choice) -> str:
    """Why the recommended row was chosen and how sure that is, in one sentence.

    Args:
        choice: One with a recommendation.
    """
    best, runner_up = choice.qualifying[0], choice.runner_up
    if runner_up is None:
        of = len(choice.excluded) + 1
        only = "the only row there is" if of == 1 else f"the only one of {of} rows that qualifies"
        return f"{best.label} is {only}: {_facts(best)}."
    merit = _merit(choice, best, runner_up)
    return f"{best.label} {merit}: {_facts(best)}; {_certainty(choice, best, runner_up)}."


def runner_up_sentence(choice: Choice) -> str | None:
    """What choosing the runner-up instead would cost and save; None without one."""
    if choice.recommended is None or choice.runner_up is None:
        return None
    trade = _trade(choice.recommended, choice.runner_up, choice)
    costs = f"costs {listed(trade['costs'])}" if trade["costs"] else ""
    wins = [f"{verb} {listed(trade[verb])}" for verb in ("gains", "saves") if trade[verb]]
    text = ", but ".join(part for part in (costs, " and ".join(wins)) if part)
    text = text or "costs and saves nothing"
    return f"runner-up: {choice.runner_up.label}; chosen instead, it {text}."


def choice_notes(choice: Choice) -> list[str]:
    """What a reader must know beside the table, a fact a line."""
    summaries = [candidate.summary for candidate in (*choice.qualifying, *choice.excluded)]
    lines = [
        *table_notes(choice),
        *(_remark(candidate) for candidate in choice.qualifying[:2]),
        _on_accuracy_per_second(choice),
        *ground_lines(summaries),
    ]
    return [one_line(line) for line in lines if line]


def _remark(candidate: Candidate) -> str | None:
    flags = [
        f"{flag} ({FLAG_NOTES[flag]})" if flag in FLAG_NOTES else flag
        for flag in candidate.row["flags"]
        if flag not in QUIET_FLAGS
    ]
    reason = candidate.row["reason"]
    remarks = [*([reason] if reason else []), *flags]
    return f"beware, {candidate.label}: {'; '.join(remarks)}." if remarks else None


def _on_accuracy_per_second(choice: Choice) -> str:
    """Why it is no answer by itself."""
    rows = [candidate.row for candidate in choice.qualifying or choice.excluded]
    repeats = ""
    if any(map(holds_time_equal, rows)):
        repeats = " and, under a budget of seconds, merely repeats accuracy"
    return (
        f"accuracy per second alone flatters tiny models{repeats}: hold it against the time to "
        "a target and the accuracy at the budget, which stand in the table."
    )


def gap_between(ours: Candidate, theirs: Candidate) -> Difference | None:
    """The difference of two rows' accuracies; None where they may not be compared."""
    try:
        check_comparable([ours.summary.records[0], theirs.summary.records[0]])
    except NotComparable:
        return None
    return difference(ours.summary, theirs.summary)


def choice_json(choice: Choice) -> str:
    """The choice as one JSON object in base units, ending in a newline."""
    best, runner_up = choice.recommended, choice.runner_up
    constraints = {name: getattr(choice.constraints, name) for name in choice.constraints.__slots__}
    answer = {
        "recommended": best and best.label,
        "reason": one_line(reason(choice)) if best else None,
        "runner_up": runner_up and runner_up.label,
        "runner_up_costs": _costs(choice),
        "objective": {
            "by": choice.objective.by,
            "target": float(choice.objective.target) if _is_timed(choice) else None,
        },
        "constraints": constraints,
        "qualifying": [dict(candidate.row) for candidate in choice.qualifying],
        "excluded": [{"model": one.label, "why": one.why} for one in choice.excluded],
        "pareto_front": [candidate.label for candidate in choice.front],
        "nearest_miss": _nearest(choice),
    }
    return orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _is_timed(choice: Choice) -> bool:
    return choice.objective.by == TO_TARGET


def _merit(choice: Choice, best: Candidate, runner_up: Candidate) -> str:
    of = f"of the {len(choice.qualifying)} rows that qualify"
    ours, theirs = (choice.objective.value(one.row) or 0.0 for one in (best, runner_up))
    if choice.objective.by == ACCURACY:
        return f"is the most accurate {of}" if ours > theirs else f"ties for most accurate {of}"
    verb = "ties for" if ours == theirs else "was" if _is_timed(choice) else "has"
    if _is_timed(choice):
        place = f"{format_percent(float(choice.objective.target))} on validation"
        return (
            f"{verb} the first {of} to reach {place}, after {format_seconds(ours)} against "
            f"{format_seconds(theirs)} of {runner_up.label}"
        )
    unit = {PER_SECOND: "second", PER_JOULE: "joule"}[choice.objective.by]
    return (
        f"{verb} the most accuracy per {unit} {of}, {three_digits(ours * 100)} points against "
        f"{three_digits(theirs * 100)} of {runner_up.label}"
    )


def _facts(candidate: Candidate) -> str:
    row = candidate.row
    seeds = "one seed" if row["n_seeds"] == 1 else f"mean of {row['n_seeds']} seeds"
    parts = [f"{percent(row['test_accuracy'])} on {candidate.summary.spec['evaluation_split']}"]
    parts[0] += f" ({seeds})"
    if row["train_time_s"] is not None:
        parts.append(f"{format_seconds(row['train_time_s'])} of training")
    if row["peak_memory_bytes"] is not None:
        parts.append(f"{format_bytes(row['peak_memory_bytes'])} of memory")
    if row["energy_j"] is not None:
        parts.append(format_joules(row["energy_j"]))
    return ", ".join(parts)


def _certainty(choice: Choice, best: Candidate, runner_up: Candidate) -> str:
    gap = gap_between(best, runner_up)
    if gap is None:
        return f"the runner-up {runner_up.label} is not comparable with it"
    size = f"{points(abs(gap.estimate))} points {'less' if gap.estimate < 0 else 'more'}"
    detail = f"{runner_up.label} ({size}, {half_width_text(gap)})"
    subject = "it" if choice.objective.by == ACCURACY else "in accuracy it"
    if gap.verdict == DIFFERENT:
        return f"{subject} is told apart from {detail}"
    if gap.verdict == NOT_TOLD_APART:
        return f"{subject} cannot be told apart from {detail}"
    seeds = "" if gap.knows_seeds else " for other seeds too"
    return f"whether {subject} differs from {detail}{seeds} is unknown"


def _trade(best: Candidate, other: Candidate, choice: Choice) -> dict[str, list[str]]:
    """What another row costs, gains and saves beside the best, in words."""
    trade: dict[str, list[str]] = {"costs": [], "gains": [], "saves": []}
    loss = best.row["test_accuracy"] - other.row["test_accuracy"]
    if loss:
        trade["costs" if loss > 0 else "gains"].append(f"{points(abs(loss))} points of accuracy")
    for value, text, ours in _cost_differences(best, other, choice):
        if abs(value) > NEGLIGIBLE * ours:
            trade["costs" if value > 0 else "saves"].append(text(abs(value)))
    return trade


def _cost_differences(
    best: Candidate, other: Candidate, choice: Choice
) -> Iterator[tuple[float, Callable[[float], str], float]]:
    """Of each cost that both know: the other's less the best's, its text, and the best's own."""
    for key, text in _COST_TEXTS.items():
        ours, theirs = charged(best.row, key), charged(other.row, key)
        if ours is not None and theirs is not None:
            yield theirs - ours, text, ours
    if _is_timed(choice):
        target = format_percent(float(choice.objective.target))
        ours, theirs = (choice.objective.value(one.row) for one in (best, other))
        if ours is not None and theirs is not None:
            yield theirs - ours, lambda value: f"{format_seconds(value)} to {target}", ours


_COST_TEXTS: dict[str, Callable[[float], str]] = {
    "train_time_s": lambda value: f"{format_seconds(value)} of training",
    "peak_memory_bytes": lambda value: f"{format_bytes(value)} of memory",
    "energy_j": format_joules,
    "num_params": lambda value: f"{format_count(value)} parameters",
}


def _nearest_lines(choice: Choice) -> list[str]:
    nearest, hint = choice.nearest, find_hint(choice)
    if nearest is None:
        return [
            "nearest: none; each row failed, learnt nothing, or does not know what is demanded."
        ]
    missed = listed(
        [
            f"{miss.excess} {miss.option} ({three_digits(miss.relative_excess * 100)} %)"
            for miss in nearest.misses
        ]
    )
    lines = [f"nearest: {nearest.label}, {missed}."]
    seconds = choice.constraints.max_seconds
    return [*lines, f"hint: {hint_sentence(hint, seconds)}."] if hint and seconds else lines


def _nearest(choice: Choice) -> dict[str, Any] | None:
    nearest, hint = choice.nearest, find_hint(choice)
    if nearest is None:
        return None
    seconds = choice.constraints.max_seconds
    return {
        "model": nearest.label,
        "misses": [
            {
                "constraint": miss.option,
                "key": miss.key,
                "value": miss.value,
                "bound": miss.bound,
                "relative_excess": miss.relative_excess,
            }
            for miss in nearest.misses
        ],
        "hint": one_line(hint_sentence(hint, seconds)) if hint and seconds else None,
    }


def _costs(choice: Choice) -> dict[str, Any] | None:
    best, other = choice.recommended, choice.runner_up
    if best is None or other is None:
        return None
    gap = gap_between(other, best)
    costs: dict[str, Any] = {
        f"{key}_difference": _less(other.row, best.row, key)
        for key in ("test_accuracy", *_COST_TEXTS)
    }
    interval = gap.interval if gap else None
    return costs | {
        "test_accuracy_difference_ci95": list(interval) if interval else None,
        "test_accuracy_verdict": gap.verdict if gap else None,
    }


def _less(ours: Row, theirs: Row, key: str) -> float | None:
    known = ours[key] is not None and theirs[key] is not None
    return ours[key] - theirs[key] if known else None
