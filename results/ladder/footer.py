"""The lines below ladders: a sentence a model, and what must be known beside the numbers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from results.ladder.rows import (
    AUTO_RUNG,
    NEVER,
    first_measured,
    group_ladders,
    has_numbers,
    ladder_rows,
    rivals,
)
from results.records.record import RunRecord
from results.render.columns import failure_text
from results.render.footer import place_line
from results.text import distinct, format_seconds, one_line

Row = Mapping[str, Any]


def ladder_sentences(records: Iterable[RunRecord]) -> list[str]:
    """For each ladder, in one sentence, what is fastest, by how much, and when it has paid."""
    return [one_line(text) for ladder in group_ladders(records) if (text := _sentence(ladder))]


def ladder_footer_lines(records: Sequence[RunRecord]) -> list[str]:
    """What a reader must know beside the table, a fact a line, what matters most first."""
    ladders = group_ladders(records)
    rungs = [rung for ladder in ladders for rung in ladder]
    if not rungs:
        return []
    lines = [
        *_failures(rungs),
        f"{_settings(rungs)}.",
        place_line(rungs),
        f"{_turn_lengths(rungs)}: in every round each rung takes a turn, forward and backward.",
        f"ratio: images/s over those of {_bases(ladders)} in the same round, median over the "
        "rounds; interval: 95 %, exact, of that median (order statistics), none below 6 rounds.",
        "compile: seconds before the first step, warm-up included, nothing cached; pays after: "
        "epochs until it is won back against the fastest rung without compilation in the same "
        "precision.",
    ]
    return [one_line(line) for line in lines]


def _sentence(ladder: Sequence[RunRecord]) -> str | None:
    rows = ladder_rows(ladder)
    first = first_measured(ladder)
    racing = [row for row, is_rival in zip(rows, rivals(rows), strict=True) if is_rival]
    if first is None or not racing:
        return None
    best = max(racing, key=lambda row: row["ratio"])
    parts = [f"{best['model']}: {_compared(best, first.spec['rung'])}", _payment(racing, best)]
    parts += [_auto(row) for row in rows if row["rung"] == AUTO_RUNG and row is not best]
    return "; ".join(part for part in parts if part) + "."


def _compared(best: Row, base: str) -> str:
    name = "the DataLoader loop" if base == "dataloader" else base
    if best["rung"] == base:
        return f"nothing is faster than {name}"
    interval = best["ratio_ci95"]
    digits = _digits(interval)
    spread = "too few rounds to say how sure"
    if interval:
        spread = " to ".join(f"{end:.{digits}f}" for end in interval)
    rung = f"auto ({best['plan']})" if best["rung"] == AUTO_RUNG else best["rung"]
    return f"{rung} is {best['ratio']:.{digits}f}x {name} ({spread})"


def _payment(racing: Sequence[Row], best: Row) -> str | None:
    """When compilation pays: that of the best rung, or else of the fastest that it pays for."""
    compiled = [row for row in racing if row["break_even_epochs"] is not None]
    paying = [row for row in compiled if row["break_even_epochs"] != NEVER]
    if not paying:
        return "compiling never pays" if compiled else None
    row = best if best in paying else max(paying, key=lambda rival: rival["ratio"])
    subject = "compiling" if row is best else f"compiling ({row['rung']})"
    return f"{subject} pays {_after(row['break_even_epochs'])}"


def _after(epochs: float) -> str:
    whole = math.ceil(epochs)
    return "within one epoch" if whole <= 1 else f"after {whole} epochs"


def _auto(row: Row) -> str | None:
    if row["ratio"] is None:
        return None
    return f"auto comes to {row['ratio']:.{_digits(row['ratio_ci95'])}f}x"


def _digits(interval: Sequence[float] | None) -> int:
    """Digits behind the point: finer ones than the interval say nothing."""
    if interval is None:
        return 2
    width = interval[1] - interval[0]
    return 2 if width < 0.2 else 1 if width < 2 else 0


def _settings(rungs: Sequence[RunRecord]) -> str:
    facts = {
        "budget": [rung.spec["budget"] for rung in rungs],
        "recipe": [rung.spec["recipe"]["name"] for rung in rungs],
        "batch size": [rung.spec["recipe"].get("batch_size") for rung in rungs],
    }
    return ", ".join(f"{name} {' / '.join(distinct(values))}" for name, values in facts.items())


def _turn_lengths(rungs: Sequence[RunRecord]) -> str:
    measured = [rung.measurements["turn_seconds"] for rung in rungs if has_numbers(rung)]
    if not measured:
        return "no turn was measured"
    rounds = sorted({len(turns.values) for turns in measured})
    lengths = sorted(turns.median() for turns in measured)
    count = f"{rounds[0]}" if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]}"
    return f"{count} rounds, turns of {format_seconds(lengths[0])} to {format_seconds(lengths[-1])}"


def _bases(ladders: Sequence[Sequence[RunRecord]]) -> str:
    firsts = [first_measured(ladder) for ladder in ladders]
    return " / ".join(distinct(first.spec["rung"] for first in firsts if first)) or "the first rung"


def _failures(rungs: Sequence[RunRecord]) -> list[str]:
    """A line for each reason, with the rungs that failed or were broken off for it."""
    reasons: dict[str, list[str]] = {}
    for rung in rungs:
        if rung.status != "ok":
            text = failure_text({"status": rung.status, "reason": rung.reason})
            reasons.setdefault(text, []).append(f"{rung.spec['model']} {rung.spec['rung']}")
    return [f"{text}: {', '.join(distinct(names))}." for text, names in reasons.items()]
