"""The lines around ladders: a sentence a model, and what must be known beside the numbers."""

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
from results.render.footer import by_reason, place_line, stated
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
    failures = by_reason(
        (
            f"{rung.spec['model']} {rung.spec['rung']}",
            failure_text({"status": rung.status, "reason": rung.reason}),
        )
        for rung in rungs
        if rung.status != "ok"
    )
    held = {
        "budget": [rung.spec["budget"] for rung in rungs],
        "recipe": [rung.spec["recipe"]["name"] for rung in rungs],
        "batch size": [rung.spec["recipe"].get("batch_size") for rung in rungs],
    }
    firsts = [first_measured(ladder) for ladder in ladders]
    base = " / ".join(distinct(first.spec["rung"] for first in firsts if first))
    lines = [
        *(f"{reason}: {', '.join(names)}." for reason, names in failures.items()),
        f"{stated(held)}.",
        place_line(rungs),
        f"{_turn_lengths(rungs)}: in each round every rung takes a turn, in alternating order.",
        f"ratio: images/s over those of {base or 'the first rung'} in the same round, median over "
        "rounds; interval: exact 95 % of it, from 6 rounds on.",
        "compile: warm-up with an empty cache; pays after: epochs to win it back against the "
        "fastest uncompiled rung of that precision.",
    ]
    return [one_line(line) for line in lines]


def _sentence(ladder: Sequence[RunRecord]) -> str | None:
    rows = ladder_rows(ladder)
    first = first_measured(ladder)
    racing = [row for row, is_rival in zip(rows, rivals(rows), strict=True) if is_rival]
    if first is None or not racing:
        return None
    best = max(racing, key=lambda row: row["ratio"])
    autos = [row for row in rows if row["rung"] == AUTO_RUNG and row is not best and row["ratio"]]
    parts = [
        f"{best['model']}: {_compared(best, first.spec['rung'])}",
        _payment(racing, best),
        *(f"auto comes to {row['ratio']:.{_digits(row['ratio_ci95'])}f}x" for row in autos),
    ]
    return "; ".join(distinct(parts)) + "."


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
    epochs = math.ceil(row["break_even_epochs"])
    return f"{subject} pays {'within one epoch' if epochs <= 1 else f'after {epochs} epochs'}"


def _digits(interval: Sequence[float] | None) -> int:
    """Digits behind the point: finer ones than the interval say nothing."""
    width = 0.0 if interval is None else interval[1] - interval[0]
    return 2 if width < 0.2 else 1 if width < 2 else 0


def _turn_lengths(rungs: Sequence[RunRecord]) -> str:
    timed = [rung.measurements.get("turn_seconds") for rung in rungs if has_numbers(rung)]
    measured = [turns for turns in timed if turns]  # another program may have kept the rates alone
    if not measured:
        return "no turn was measured"
    rounds = sorted({len(turns.values) for turns in measured})
    lengths = sorted(turns.median() for turns in measured)
    count = " to ".join(distinct([rounds[0], rounds[-1]]))
    return f"{count} rounds, turns of {format_seconds(lengths[0])} to {format_seconds(lengths[-1])}"
