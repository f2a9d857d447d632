"""What may stand side by side, and which rows nothing else beats."""

import re
from collections.abc import Iterable, Mapping, Sequence
from operator import le
from typing import Any

from results.errors import NotComparable
from results.records.record import RunRecord
from results.rows.settings import SETTING_KEYS, recipe_name, setting_text, settings_in, settings_of
from results.text import cut, cut_name

LADDER = "ladder"  # the requested plan of every rung; in the provenance, the run it belongs to

Row = Mapping[str, Any]
Axes = tuple[float, ...]

HELD_EQUAL = ("budget", "evaluation_split", "target")
_TELLING_KEYS = (
    *("commit", "budget", "target"),
    *SETTING_KEYS,
    *("recipe", "precision", "plan", "device"),
)
_COST_WORDS = {
    "train_time_s": "faster to train",
    "peak_memory_bytes": "lighter in peak memory",
    "num_params": "smaller in parameters",
}


def check_comparable(records: Sequence[RunRecord]) -> None:
    """Refuse records of which budget, evaluation split, target, data or environment differ.

    Differing recipes are allowed; tables and footers label them.

    Raises:
        NotComparable: In one line, the first field that differs, both values and the remedy.
    """
    for record in records:
        field = differing_field(records[0], record)
        if field is not None:
            ours, theirs = (cut(str(held_equal(one).get(field))) for one in (records[0], record))
            models = [cut_name(one.spec["model"]) for one in (records[0], record)]
            raise NotComparable(
                f"not comparable: {field} is {ours} for {models[0]} but {theirs} for {models[1]}; "
                f"name runs of one {field}, or pass --mixed to see them side by side, labelled"
            )


def differing_field(first: RunRecord, second: RunRecord) -> str | None:
    """The first of the fields held equal in which two records differ; None where they are equal."""
    ours, theirs = held_equal(first), held_equal(second)
    return next((key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)), None)


def held_equal(record: RunRecord) -> dict[str, Any]:
    """All in which two records must agree to stand side by side, what matters most first."""
    held = {key: record.spec.get(key) for key in HELD_EQUAL}
    return held | {"data_hash": record.environment.get("data_hash")} | record.environment


def asked_for(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for, by the keys of rows, whatever a commit then made of it.

    Neither the seed nor the recipe's settings: under one name a commit may change those.
    """
    return {
        "model": spec["model"],
        "recipe": spec["recipe"]["name"],
        "precision": spec["precision"],
        "plan": spec.get("requested_plan", spec["plan"]),
        "deterministic": bool(spec.get("deterministic")),
        "weights_hash": spec.get("weights_hash"),
    } | {key: spec.get(key) for key in HELD_EQUAL}


def is_time_budget(budget: str) -> bool:
    """Whether a budget such as 60s holds the training seconds themselves equal."""
    return re.fullmatch(r"[\d.]+(e[+-]?\d+)?s", budget) is not None


def holds_time_equal(row: Row) -> bool:
    """Whether a row's training seconds are those of its budget: not where a target ends it."""
    return row.get("target") is None and is_time_budget(row["budget"])


def is_ladder(record: RunRecord) -> bool:
    """Whether a record is a rung."""
    return record.spec.get("requested_plan") == LADDER


def pareto_cost(rows: Sequence[Row]) -> str:
    """The row key that the front sets against accuracy.

    Training time, as a rule. Under a seconds budget that is the same for every row and would only
    repeat accuracy: there it is peak memory or, where a row's is unknown, the number of parameters.
    """
    if not any(map(holds_time_equal, rows)):
        return "train_time_s"
    is_known = all(row["peak_memory_bytes"] is not None for row in rows if row["status"] == "ok")
    return "peak_memory_bytes" if is_known else "num_params"


def pareto_front(rows: Sequence[Row], cost: str = "train_time_s") -> list[bool | None]:
    """For each row, whether no other is more accurate at no more cost, or as accurate at less.

    None where a row's status, cost or accuracy leave it unknown. A model at chance is on no front,
    however cheap: it has learnt nothing.
    """
    points = [
        None
        if row["status"] != "ok" or row[cost] is None or row["test_accuracy"] is None
        else (row[cost], -row["test_accuracy"])
        for row in rows
    ]
    rivals = [p for row, p in zip(rows, points, strict=True) if p and not is_at_chance(row)]
    front = unbeaten(rivals)
    return [
        None if point is None else not is_at_chance(row) and point in front
        for row, point in zip(rows, points, strict=True)
    ]


def unbeaten(points: Iterable[Axes]) -> set[Axes]:
    """The points, tuples of equal length without NaN, that no other beats.

    One beats another that is as small on every axis and smaller on one.
    """
    front = set()
    least: list[Axes] = []  # of the points so far, without their first axis: those unbeaten
    for point in sorted(set(points)):
        rest = point[1:]
        if not any(all(map(le, other, rest)) for other in least):
            front.add(point)
            least = [other for other in least if not all(map(le, rest, other))]
            least.append(rest)
    return front


def pareto_sentence(rows: Sequence[Row]) -> str | None:
    """One sentence that names the Pareto-best rows and says by which rule; None without any."""
    best = [label for row, label in zip(rows, labels(rows), strict=True) if row["on_pareto_front"]]
    if not best:
        return None
    rule = f"no other is both more accurate and {_COST_WORDS[pareto_cost(rows)]}"
    time_budgets = [row["budget"] for row in rows if holds_time_equal(row)]
    if time_budgets:
        rule = f"all trained for the same {time_budgets[0]}; {rule}"
    return f"Pareto-best ({rule}): {', '.join(best)}."


def labels(rows: Sequence[Row]) -> list[str]:
    """A name for each row: its model, and where that occurs twice what tells the rows apart."""
    told = [{key: _told(row, key) for key in _TELLING_KEYS} for row in rows]
    namesakes: dict[str, list[dict[str, str]]] = {}
    for row, texts in zip(rows, told, strict=True):
        namesakes.setdefault(row["model"], []).append(texts)
    telling = {
        model: [key for key in _TELLING_KEYS if len({texts[key] for texts in group}) > 1]
        for model, group in namesakes.items()
    }
    return [
        _label(row, [texts[key] for key in telling[row["model"]]])
        for row, texts in zip(rows, told, strict=True)
    ]


def spec_labels(specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A name for each configuration as `labels` has it, of what was asked for."""
    settings = settings_of(specs)
    return labels([asked_for(spec) | own for spec, own in zip(specs, settings, strict=True)])


def is_at_chance(row: Row) -> bool:
    """Whether a seed of the row was no better than guessing."""
    return "at_chance" in row["flags"]


def _label(row: Row, texts: Sequence[str]) -> str:
    return f"{row['model']} ({', '.join(texts)})" if texts else str(row["model"])


def _told(row: Row, key: str) -> str:
    """What tells a row apart; a target is a bare number, and most rows have none."""
    value = row.get(key)
    if key in SETTING_KEYS:
        return f"{key}={setting_text(value)}" if key in row else ""
    if key == "target":
        return "no target" if value is None else f"to {value * 100:.6g} %"
    if key == "recipe" and value is not None:
        return recipe_name(value, settings_in(row))
    return "unknown" if value is None else str(value)
