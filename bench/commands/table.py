"""The command `table`: finished runs by model, commit or plan, or beside published numbers."""

from collections.abc import Sequence
from typing import Annotated

import typer

from bench.commands.options import RunDirs
from bench.commands.show import (
    DEFAULT_SORT,
    check_format,
    show_history,
    show_ladders,
    show_models,
    show_published,
)
from bench.shell import say
from bench.sweep.folders import named_or_newest
from bench.sweep.request import Notes
from results.errors import ResultsError
from results.records.record import RunRecord
from results.records.store import read_records
from results.render.formats import FOR_PROGRAMS
from results.rows.comparable import check_comparable, is_ladder
from results.rows.names import with_short_names
from results.rows.rows import SETTINGS
from results.rows.settings import key_of
from results.rows.summary import summarize

HISTORY, PUBLISHED = "commit", "published"
GROUPINGS = ("model", HISTORY, "plan", PUBLISHED)


def table(
    run_dirs: RunDirs = None,
    fmt: Annotated[
        str,
        typer.Option(
            "--format",
            help="rich, markdown, csv, json, latex or parquet (bytes, for a file). csv, json and "
            "parquet have the record_ids behind each row: `grep ID records.jsonl` finds a record.",
        ),
    ] = "rich",
    sort: Annotated[
        str,
        typer.Option(help="Any key of --format json; by commit, time unless another is named."),
    ] = DEFAULT_SORT,
    by: Annotated[
        str,
        typer.Option(
            help="A row for each model, commit (a history: each model over the commits, with what "
            "changed) or plan; or published: the reference systems, each beside its published "
            "number; or a recipe field such as batch_size: the rows of each of its values together."
        ),
    ] = "model",
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Show what is not comparable, labelled.")
    ] = False,
    notes: Notes = False,
) -> None:
    """Print the table of finished runs; needs no torch."""
    records = read_records(*named_or_newest(run_dirs), say=say)
    show(records, fmt=fmt, by=by, sort=sort, mixed=mixed, notes=notes)


def show(
    records: Sequence[RunRecord],
    *,
    fmt: str = "rich",
    by: str = "model",
    sort: str = DEFAULT_SORT,
    mixed: bool = False,
    notes: bool = False,
) -> None:
    """Write the table of some records to stdout.

    Ladders stand alone: where there are any, other records are left out, and a line says so. By a
    recipe field, rows of one value stand together, in the order of the values. By
    `published` the reference systems stand alone, each beside its own published number. By
    `commit` they are a history, in the order of time where no other key is named. A net of a
    user's file has its shortest name that no other has; csv, json and parquet keep the whole one.

    Raises:
        NotComparable: the records must not stand side by side, and `mixed` does not allow it.
        ResultsError: no such format, grouping or column.
    """
    check_format(fmt)
    shown = with_short_names(records)
    records = records if fmt in FOR_PROGRAMS else shown
    by = key_of(by)
    if by not in (*GROUPINGS, *SETTINGS):
        choices = f"{', '.join(GROUPINGS)}, or a recipe field such as batch_size"
        raise ResultsError(f"cannot group by {by!r}; choose from {choices}")
    if by == PUBLISHED:
        if sort != DEFAULT_SORT:
            raise ResultsError(
                "by published, rows are in the order of the projects; leave --sort out"
            )
        show_published(records, fmt=fmt, notes=notes)
        return
    rungs = [record for record in records if is_ladder(record)]
    if not mixed:
        check_comparable([record for record in shown if is_ladder(record)] or shown)
    if rungs:
        if (by, sort) != ("model", DEFAULT_SORT):
            raise ResultsError("a ladder is in the order of its rungs; leave --by and --sort out")
        show_ladders(rungs, fmt=fmt, num_others=len(records) - len(rungs), notes=notes)
        return
    grouped = "model" if by in SETTINGS else by
    summaries = summarize(records, grouped)  # type: ignore[arg-type]  # checked above
    if by == HISTORY:
        show_history(summaries, fmt=fmt, sort=sort, notes=notes)
    else:
        show_models(summaries, fmt=fmt, sort=sort, by=by, notes=notes)
