"""Show rows on stdout: a table for a terminal, exports for programs."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.shell import print_rich, terminal_width, write_out

if TYPE_CHECKING:
    from results import RunRecord
    from results.render.columns import Column

DEFAULT_SORT = "test_accuracy"


def check_format(fmt: str) -> None:
    """Refuses a format that there is not, or that cannot be written to this stdout.

    Raises:
        ResultsError: In one line, with the remedy.
    """
    from results.errors import ResultsError
    from results.render.formats import FORMATS
    from results.render.parquet import PARQUET, check_parquet

    choices = ("rich", *FORMATS, PARQUET)
    if fmt not in choices:
        raise ResultsError(f"unknown format {fmt!r}; choose from {', '.join(choices)}")
    if fmt != PARQUET:
        return
    if sys.stdout.isatty():
        raise ResultsError("parquet is bytes; write it to a file: ... > table.parquet")
    check_parquet()


def show_ladders(
    rungs: "Sequence[RunRecord]", *, fmt: str = "rich", num_others: int = 0, notes: bool = False
) -> None:
    """Writes ladders to stdout, and to stderr how many other records are left out."""
    from results.ladder.rows import LADDER_KEYS, ladder_rows
    from results.ladder.table import ladder_columns

    if num_others:
        sys.stderr.write(f"{num_others} records of ordinary runs left out: a ladder stands alone\n")
    rows = ladder_rows(rungs)
    if fmt == "rich":
        _show_rich_ladders(rungs, rows, notes=notes)
        return
    write_rows(rows, fmt, LADDER_KEYS, ladder_columns(rows))


def show_published(
    records: "Sequence[RunRecord]", *, fmt: str = "rich", notes: bool = False
) -> None:
    """Writes published numbers beside ours to stdout, and to stderr how many records are left out.

    Raises:
        ResultsError: no such format, or no record of a reference system.
    """
    from results.errors import ResultsError
    from results.reference.replication import is_published
    from results.reference.rows import PUBLISHED_KEYS, published_rows
    from results.reference.table import export_published
    from results.render.parquet import PARQUET

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
        _show_rich_published(runs, notes=notes)
    elif fmt == PARQUET:
        write_rows(published_rows(runs), fmt, PUBLISHED_KEYS)
    else:
        write_out(export_published(runs, fmt))


def write_rows(
    rows: "Sequence[dict[str, Any]]",
    fmt: str,
    keys: "Sequence[str]",
    columns: "Sequence[Column] | None" = None,
    by: str = "model",
) -> None:
    """Writes rows to stdout in a format that programs or documents read."""
    from results.render.formats import export
    from results.render.parquet import PARQUET, export_parquet

    if fmt == PARQUET:
        write_out(export_parquet(rows, keys))
    else:
        write_out(export(rows, fmt, by, columns=columns, keys=keys))


def where_next(*folders: Path) -> str:
    """Where records lie, and what shows them again: the last line of a sweep."""
    if not folders:
        return "records: nowhere but in the lines above"
    where, words = " ".join(map(str, folders)), shlex.join(map(str, folders))
    return f"records: {where}; again: fmnist-bench table {words}, or report {words} for a page"


def _show_rich_ladders(
    rungs: "Sequence[RunRecord]", rows: "Sequence[dict[str, Any]]", *, notes: bool
) -> None:
    from results.ladder.footer import ladder_footer_lines, ladder_sentences
    from results.ladder.table import render_ladder

    table = render_ladder(rows, width=terminal_width(), title="Fashion-MNIST, ladder of plans")
    lines = ladder_footer_lines(rungs)
    print_rich(table, lines, above=ladder_sentences(rungs), all_notes=notes)


def _show_rich_published(runs: "Sequence[RunRecord]", *, notes: bool) -> None:
    from results.reference.footer import published_footer_lines
    from results.reference.rows import published_rows
    from results.reference.table import hidden_columns_line, render_published

    rows, width = published_rows(runs), terminal_width()
    title = "Fashion-MNIST: published numbers and ours"
    hidden = hidden_columns_line(rows, width)
    lines = [*published_footer_lines(runs), *([hidden] if hidden else [])]
    print_rich(render_published(rows, width=width, title=title), lines, all_notes=notes)
