"""`choose`: which model to take, under what a user can afford."""

import math
from collections.abc import Sequence
from typing import Annotated

import typer

from bench.commands.options import RunDirs
from bench.errors import UsageError
from bench.shell import print_rich, say, terminal_width, write_out
from bench.spec.amounts import BYTES, COUNTS, FRACTIONS, JOULES, SECONDS, amount_in, reader
from bench.sweep.folders import named_or_newest
from bench.sweep.request import Notes
from results import NotComparable, RunRecord, check_comparable, read_records
from results.choice.choose import DEFAULT_TARGET, TO_TARGET, Constraints, Objective
from results.choice.choose import choose as decide
from results.choice.table import choice_notes, render_choice
from results.choice.text import choice_headline, choice_json
from results.rows.comparable import is_ladder
from results.rows.names import with_short_names
from results.rows.rows import TARGETS

NOTHING_QUALIFIES = 4


def choose(
    run_dirs: RunDirs = None,
    max_seconds: Annotated[
        float | None,
        typer.Option(
            help="Most seconds of training, or 5min; a budget's overrun is free.",
            parser=reader("--max-seconds", SECONDS, "90, 90s or 5min"),
            metavar="TIME",
        ),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            help="Least test accuracy: 0.9 or 90%.",
            parser=reader("--min-accuracy", FRACTIONS, "0.9 or 90%"),
            metavar="FRACTION",
        ),
    ] = None,
    max_memory: Annotated[
        float | None,
        typer.Option(
            help="Most peak memory: bytes, 500MB or 1.5GiB.",
            parser=reader("--max-memory", BYTES, "500MB or 1.5GiB"),
            metavar="BYTES",
        ),
    ] = None,
    max_joules: Annotated[
        float | None,
        typer.Option(
            help="Most joules over training, or 2kJ.",
            parser=reader("--max-joules", JOULES, "500, 500J or 2kJ"),
            metavar="JOULES",
        ),
    ] = None,
    max_params: Annotated[
        float | None,
        typer.Option(
            help="Most parameters: a number, 7.8k or 1M.",
            parser=reader("--max-params", COUNTS, "7850, 7.8k or 1M"),
            metavar="NUMBER",
        ),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            help="What is to be best: accuracy, accuracy-per-second, accuracy-per-joule or "
            "time-to-target."
        ),
    ] = "accuracy",
    target: Annotated[
        str | None,
        typer.Option(
            help="Validation accuracy of time-to-target: 0.80, 0.85, 0.90, 0.92 or 0.94, or the "
            "one that `run --target` ended at.",
            show_default="the runs' own, or else 0.90",
        ),
    ] = None,
    fmt: Annotated[str, typer.Option("--format", help="rich or json.")] = "rich",
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Choose among what is not comparable, labelled.")
    ] = False,
    notes: Notes = False,
) -> None:
    """Recommend a model among finished runs, and say why; needs no torch."""
    constraints = Constraints(
        max_seconds=_positive("--max-seconds", max_seconds),
        min_accuracy=_fraction(min_accuracy),
        max_memory_bytes=_positive("--max-memory", max_memory),
        max_joules=_positive("--max-joules", max_joules),
        max_params=_positive("--max-params", max_params),
    )
    if fmt not in {"rich", "json"}:
        raise UsageError(f"unknown format {fmt!r}; choose from rich, json")
    records = _ordinary(read_records(*named_or_newest(run_dirs), say=say), is_mixed=mixed)
    raise typer.Exit(answer(records, constraints, _objective(by, target, records), fmt, notes))


def answer(
    records: Sequence[RunRecord],
    constraints: Constraints,
    objective: Objective,
    fmt: str,
    notes: bool = False,
) -> int:
    """Write the choice among some records to stdout and return the exit code.

    A net of a user's file has its shortest name that no other has; json keeps the whole one.
    """
    if fmt == "json":
        choice = decide(records, constraints, objective)
        write_out(choice_json(choice))
    else:
        choice = decide(with_short_names(records), constraints, objective)
        table = render_choice(choice, width=terminal_width())
        print_rich(table, choice_notes(choice), above=choice_headline(choice), all_notes=notes)
    return 0 if choice.recommended else NOTHING_QUALIFIES


def _ordinary(records: Sequence[RunRecord], *, is_mixed: bool) -> list[RunRecord]:
    """The records that are no rungs of a ladder, which may stand side by side."""
    ordinary = [record for record in records if not is_ladder(record)]
    if num_rungs := len(records) - len(ordinary):
        say(f"{num_rungs} records of ladders left out: they compare plans, not models")
    if not ordinary:
        raise NotComparable("no ordinary run to choose from; make some with `fmnist-bench run`")
    if not is_mixed:
        check_comparable(with_short_names(ordinary))
    return ordinary


def _objective(by: str, target: str | None, records: Sequence[RunRecord]) -> Objective:
    """The objective; a target that no curve is asked for may be the one that the runs ended at."""
    objective = Objective(by)
    if by != TO_TARGET and target is not None:
        raise UsageError(f"--target belongs to --by {TO_TARGET}; leave it out, or add that")
    if by != TO_TARGET:
        return objective
    own = {end for record in records if (end := record.spec.get("target")) is not None}
    if target is None:
        return Objective(by, own.pop() if len(own) == 1 else DEFAULT_TARGET)
    asked = amount_in(target, FRACTIONS)
    if asked is None or asked not in {*own, *map(float, TARGETS)}:
        raise UsageError(f"no time to {target!r} is kept; choose from {', '.join(TARGETS)}")
    return Objective(by, asked)


def _positive(option: str, value: float | None) -> float | None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise UsageError(f"{option} must be a positive number, not {value:g}")
    return value


def _fraction(value: float | None) -> float | None:
    if value is None or 0 <= value <= 1:
        return value
    remedy = f"{value / 100:g} for {value:g} %" if 1 < value <= 100 else "for example 0.9"
    raise UsageError(f"--min-accuracy is a fraction from 0 to 1, not {value:g}; write {remedy}")
