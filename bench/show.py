"""Shows results on stdout: the table for a terminal, exports for programs."""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from results import RunRecord, Summary

GROUPINGS = ("model", "commit", "plan")
PUBLISHED = "published"
WIDTH_OFF_TERMINAL = 120  # rich's own 80 would hide half of the columns in a CI log


def read_runs(run_dirs: "Sequence[Path] | None", say: "Callable[[str], None]") -> "list[RunRecord]":
    """The records of the named folders, or of the newest run.

    Raises:
        RecordError: there is no run, or a folder has no records.
    """
    from results import read_records

    return read_records(*named_or_newest(run_dirs), say=say)


def named_or_newest(run_dirs: "Sequence[Path] | None") -> "Sequence[Path]":
    """The named folders, or the folder of the newest run.

    Raises:
        RecordError: none is named, and there is no run.
    """
    from bench.run_command import RUNS
    from results import RecordError, newest_run

    newest = newest_run(RUNS)
    folders = run_dirs or ([newest] if newest else [])
    if not folders:
        raise RecordError(f"no run in {RUNS}; make one with `fmnist-bench run`, or name a folder")
    return folders


def show(
    records: "Sequence[RunRecord]",
    *,
    fmt: str = "rich",
    by: str = "model",
    sort: str = "test_accuracy",
    mixed: bool = False,
) -> None:
    """Writes the table of some records to stdout.

    Ladders stand alone: where there are any, other records are left out, and a line says so. By
    `published` the reference systems stand alone, each beside its own published number.

    Raises:
        NotComparable: the records must not stand side by side, and `mixed` does not allow it.
        ResultsError: no such format, grouping or column.
    """
    from results import FORMATS, check_comparable, export, is_ladder, summarize, table_rows
    from results.errors import ResultsError

    if fmt not in ("rich", *FORMATS):
        raise ResultsError(f"unknown format {fmt!r}; choose from rich, {', '.join(FORMATS)}")
    _check_grouping(by)
    if by == PUBLISHED:
        _check_published_options(sort)
        show_published(records, fmt=fmt)
        return
    rungs = [record for record in records if is_ladder(record)]
    if not mixed:
        check_comparable(rungs or records)
    if rungs:
        _check_ladder_options(by, sort)
        show_ladders(rungs, fmt=fmt, num_others=len(records) - len(rungs))
        return
    summaries = summarize(records, by)  # type: ignore[arg-type]  # checked above
    rows = table_rows(summaries, sort)
    if fmt == "rich":
        _show_rich(summaries, rows, by)
    else:
        write_out(export(rows, fmt, by).rstrip("\n") + "\n")


def show_ladders(rungs: "Sequence[RunRecord]", *, fmt: str = "rich", num_others: int = 0) -> None:
    """Writes ladders to stdout, and to stderr how many other records are left out."""
    from results import LADDER_KEYS, export, ladder_columns, ladder_rows

    if num_others:
        sys.stderr.write(f"{num_others} records of ordinary runs left out: a ladder stands alone\n")
    rows = ladder_rows(rungs)
    if fmt == "rich":
        _show_rich_ladders(rungs, rows)
        return
    columns = ladder_columns(rows)
    write_out(export(rows, fmt, columns=columns, keys=LADDER_KEYS).rstrip("\n") + "\n")


def show_published(records: "Sequence[RunRecord]", *, fmt: str = "rich") -> None:
    """Writes published numbers beside ours to stdout, and to stderr how many records are left out.

    Raises:
        ResultsError: no such format, or no record of a reference system.
    """
    from results import export_published, is_published
    from results.errors import ResultsError

    runs = [record for record in records if is_published(record)]
    if not runs:
        raise ResultsError(
            "no run of a reference system by its own recipe; make some with "
            "`fmnist-bench run --recipe published`"
        )
    if num_others := len(records) - len(runs):
        others = f"{num_others} record{'s' if num_others > 1 else ''}"
        sys.stderr.write(f"{others} left out: no reference system by its own recipe\n")
    if fmt == "rich":
        _show_rich_published(runs)
    else:
        write_out(export_published(runs, fmt))


def write_out(text: str) -> None:
    """Writes to stdout; a reader that has gone, as in `table | head -1`, is no failure."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # Python would stumble over it again when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_ladder_options(by: str, sort: str) -> None:
    from results.errors import ResultsError

    if (by, sort) != ("model", "test_accuracy"):
        raise ResultsError("a ladder is in the order of its rungs; leave --by and --sort out")


def _check_grouping(by: str) -> None:
    from results.errors import ResultsError

    if by not in (*GROUPINGS, PUBLISHED):
        choices = ", ".join((*GROUPINGS, PUBLISHED))
        raise ResultsError(f"cannot group by {by!r}; choose from {choices}")


def _check_published_options(sort: str) -> None:
    from results.errors import ResultsError

    if sort != "test_accuracy":
        raise ResultsError("by published, rows are in the order of the projects; leave --sort out")


def _show_rich(summaries: "Sequence[Summary]", rows: "Sequence[dict[str, Any]]", by: str) -> None:
    from results import footer_lines, render_table

    table = render_table(rows, width=terminal_width(), by=by, title="Fashion-MNIST")
    print_rich(table, footer_lines(summaries))


def _show_rich_ladders(rungs: "Sequence[RunRecord]", rows: "Sequence[dict[str, Any]]") -> None:
    from results import ladder_footer_lines, ladder_sentences, render_ladder

    table = render_ladder(rows, width=terminal_width(), title="Fashion-MNIST, ladder of plans")
    print_rich(table, [*ladder_sentences(rungs), "", *ladder_footer_lines(rungs)])


def _show_rich_published(runs: "Sequence[RunRecord]") -> None:
    from results import (
        hidden_columns_line,
        published_footer_lines,
        published_rows,
        render_published,
    )

    rows, width = published_rows(runs), terminal_width()
    title = "Fashion-MNIST: published numbers and ours"
    hidden = hidden_columns_line(rows, width)
    lines = [*published_footer_lines(runs), *([hidden] if hidden else [])]
    print_rich(render_published(rows, width=width, title=title), lines)


def terminal_width() -> int:
    """Characters of a line of stdout."""
    return shutil.get_terminal_size((WIDTH_OFF_TERMINAL, 24)).columns


def print_rich(
    table: "RenderableType", lines: "Sequence[str]", above: "Sequence[str]" = ()
) -> None:
    """Writes a table to stdout, lines below it and, where there are any, lines above it."""
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    console = Console(width=terminal_width(), force_terminal=is_terminal, highlight=False)
    with console.capture() as capture:  # rich itself would exit with 1 where the reader has gone
        for line in [*above, *([""] if above else [])]:
            console.print(line, markup=False, highlight=False, soft_wrap=not is_terminal)
        console.print(table)
        console.print()
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=not is_terminal)
    write_out(capture.get())
