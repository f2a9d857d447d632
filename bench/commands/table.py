"""The command `table`: finished runs by model, commit or plan, or beside published numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.show import (
    DEFAULT_SORT,
    check_format,
    show_ladders,
    show_published,
    write_rows,
)
from bench.commands.show_history import show_history
from bench.shell import print_rich, say, terminal_width
from bench.sweep.folders import read_runs
from bench.sweep.request import Notes

if TYPE_CHECKING:
    from results import RunRecord

GROUPINGS = ("model", "commit", "plan")
PUBLISHED = "published"
HISTORY = "commit"


def table(
    run_dirs: Annotated[
        list[Path] | None,
        typer.Argument(help="Run folders.", show_default="the newest in results/runs"),
    ] = None,
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
            "number."
        ),
    ] = "model",
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Show what is not comparable, labelled.")
    ] = False,
    notes: Notes = False,
) -> None:
    """Print the table of finished runs; needs no torch."""
    show(read_runs(run_dirs, say), fmt=fmt, by=by, sort=sort, mixed=mixed, notes=notes)


def show(
    records: "Sequence[RunRecord]",
    *,
    fmt: str = "rich",
    by: str = "model",
    sort: str = DEFAULT_SORT,
    mixed: bool = False,
    notes: bool = False,
) -> None:
    """Writes the table of some records to stdout.

    Ladders stand alone: where there are any, other records are left out, and a line says so. By
    `published` the reference systems stand alone, each beside its own published number. By
    `commit` they are a history, in the order of time where no other key is named.

    Raises:
        NotComparable: the records must not stand side by side, and `mixed` does not allow it.
        ResultsError: no such format, grouping or column.
    """
    from results import check_comparable, summarize, table_rows
    from results.render.footer import footer_lines
    from results.render.table import render_table
    from results.rows.comparable import is_ladder
    from results.rows.rows import ROW_KEYS

    check_format(fmt)
    _check_grouping(by)
    if by == PUBLISHED:
        _check_published_options(sort)
        show_published(records, fmt=fmt, notes=notes)
        return
    rungs = [record for record in records if is_ladder(record)]
    if not mixed:
        check_comparable(rungs or records)
    if rungs:
        _check_ladder_options(by, sort)
        show_ladders(rungs, fmt=fmt, num_others=len(records) - len(rungs), notes=notes)
        return
    summaries = summarize(records, by)  # type: ignore[arg-type]  # checked above
    if by == HISTORY:
        show_history(summaries, fmt=fmt, sort=sort, notes=notes)
        return
    rows = table_rows(summaries, sort)
    if fmt == "rich":
        lines = footer_lines(summaries, rows=rows)
        title = "Fashion-MNIST"
        print_rich(
            render_table(rows, width=terminal_width(), by=by, title=title), lines, all_notes=notes
        )
    else:
        write_rows(rows, fmt, ROW_KEYS, by=by)


def _check_ladder_options(by: str, sort: str) -> None:
    from results.errors import ResultsError

    if (by, sort) != ("model", DEFAULT_SORT):
        raise ResultsError("a ladder is in the order of its rungs; leave --by and --sort out")


def _check_grouping(by: str) -> None:
    from results.errors import ResultsError

    if by not in (*GROUPINGS, PUBLISHED):
        choices = ", ".join((*GROUPINGS, PUBLISHED))
        raise ResultsError(f"cannot group by {by!r}; choose from {choices}")


def _check_published_options(sort: str) -> None:
    from results.errors import ResultsError

    if sort != DEFAULT_SORT:
        raise ResultsError("by published, rows are in the order of the projects; leave --sort out")
