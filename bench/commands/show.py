"""Show rows on stdout: a table with its notes on a terminal, exports for programs."""

import math
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError
from bench.shell import print_rich, say, terminal_width, write_out
from results.errors import ResultsError
from results.gate.files import annotation
from results.gate.tables import render_verdict, verdict_notes
from results.gate.verdict import Verdict
from results.gate.words import headline
from results.history.drift import drifts
from results.history.rows import HISTORY_KEYS, history_rows
from results.history.table import history_columns, history_footer_lines, render_history
from results.ladder.footer import ladder_footer_lines, ladder_sentences
from results.ladder.rows import LADDER_KEYS, ladder_rows
from results.ladder.table import ladder_columns, render_ladder
from results.records.record import RunRecord
from results.reference.footer import published_footer_lines
from results.reference.replication import is_published
from results.reference.rows import PUBLISHED_KEYS, published_rows
from results.reference.table import export_published, hidden_columns_line, render_published
from results.render.columns import Column
from results.render.footer import footer_lines
from results.render.formats import FORMATS, PARQUET, check_parquet, export, export_parquet
from results.render.table import render_table
from results.rows.rows import ROW_KEYS, sort_rows, table_rows
from results.rows.summary import Summary
from results.text import plural

if TYPE_CHECKING:
    from rich.console import RenderableType

DEFAULT_SORT = "test_accuracy"
NEWS = 30  # commits: what is older has been seen
Rows = Sequence[dict[str, Any]]


def check_format(fmt: str) -> None:
    """Refuse a format that does not exist, or that cannot be written to this stdout.

    Raises:
        ResultsError: In one line, with the remedy.
    """
    choices = ("rich", *FORMATS, PARQUET)
    if fmt not in choices:
        raise ResultsError(f"unknown format {fmt!r}; choose from {', '.join(choices)}")
    if fmt != PARQUET:
        return
    if sys.stdout.isatty():
        raise ResultsError("parquet is bytes; write it to a file: ... > table.parquet")
    check_parquet()


def show_models(summaries: Sequence[Summary], *, fmt: str, sort: str, by: str, notes: bool) -> None:
    """Write a row for each configuration, told apart by model, plan or a setting."""
    rows = table_rows(summaries, sort, by)
    table = partial(render_table, rows, by=by, title="Fashion-MNIST")
    footer = partial(footer_lines, summaries, rows=rows)
    _show(rows, fmt, ROW_KEYS, table, footer, by=by, notes=notes)


def show_ladders(
    rungs: Sequence[RunRecord], *, fmt: str = "rich", num_others: int = 0, notes: bool = False
) -> None:
    """Write ladders, and to stderr how many other records are left out."""
    if num_others:
        say(f"{num_others} records of ordinary runs left out: a ladder stands alone")
    rows = ladder_rows(rungs)
    table = partial(render_ladder, rows, title="Fashion-MNIST, ladder of plans")
    footer, above = partial(ladder_footer_lines, rungs), ladder_sentences(rungs)
    _show(rows, fmt, LADDER_KEYS, table, footer, ladder_columns(rows), above=above, notes=notes)


def show_published(records: Sequence[RunRecord], *, fmt: str = "rich", notes: bool = False) -> None:
    """Write published numbers beside ours, and to stderr how many records are left out.

    Raises:
        ResultsError: no record of a reference system.
    """
    runs = [record for record in records if is_published(record)]
    if not runs:
        raise ResultsError(
            "no run of a reference system by its own recipe; make some with "
            "`fmnist-bench run --recipe published`"
        )
    if num_others := len(records) - len(runs):
        say(f"{plural(num_others, 'record')} left out: no reference system by its own recipe")
    if fmt in FORMATS:
        write_out(export_published(runs, fmt))
        return
    rows = published_rows(runs)
    table = partial(render_published, rows, title="Fashion-MNIST: published numbers and ours")
    _show(
        rows,
        fmt,
        PUBLISHED_KEYS,
        table,
        lambda: published_footer_lines(runs, hidden_columns_line(rows, terminal_width())),
        notes=notes,
    )


def show_history(summaries: Sequence[Summary], *, fmt: str, sort: str, notes: bool = False) -> None:
    """Write the history of models over commits, by time where no other key is named.

    Drift is told below a table for people, and on GitHub, in any format, by warnings on stderr.
    """
    rows = history_rows(summaries)
    rows = rows if sort == DEFAULT_SORT else sort_rows(rows, sort)
    is_on_github = os.environ.get("GITHUB_ACTIONS") == "true"
    found = drifts(summaries) if fmt == "rich" or is_on_github else []
    table = partial(render_history, rows, title="Fashion-MNIST, over commits")
    footer = partial(history_footer_lines, summaries, found)
    _show(rows, fmt, HISTORY_KEYS, table, footer, history_columns(rows), notes=notes)
    if is_on_github:
        for drift in found:  # a dip that is over is history
            if drift.is_worse and drift.is_last and drift.commits_ago <= NEWS:
                say(annotation("warning", "drift", drift.text))


def show_verdict(verdict: Verdict, *, notes: bool = False) -> None:
    """Write a verdict: its headline, its tables, and the command that repeats it."""
    print_rich(
        render_verdict(verdict, width=terminal_width()),
        verdict_notes(verdict),
        above=[": ".join(headline(verdict))],
        all_notes=notes,
        again=f"again: {verdict.command}",
    )


def fraction(option: str, value: float) -> float:
    """Return the value of an option that takes a fraction between 0 and 1.

    Raises:
        UsageError: it is none; the line says how a percentage is written.
    """
    if math.isfinite(value) and 0 < value < 1:
        return value
    remedy = f"{value / 100:g} for {value:g} %" if 1 <= value < 100 else "for example 0.1"
    raise UsageError(f"{option} is a fraction between 0 and 1, not {value:g}; write {remedy}")


def where_next(*folders: Path) -> str:
    """Say where records lie, and what shows them again: the last line of a sweep."""
    if not folders:
        return "records: nowhere but in the lines above"
    where, words = " ".join(map(str, folders)), shlex.join(map(str, folders))
    return f"records: {where}; again: fmnist-bench table {words}, or report {words} for a page"


def _show(
    rows: Rows,
    fmt: str,
    keys: Sequence[str],
    table: Callable[..., "RenderableType"],
    footer: Callable[[], Sequence[str]],
    columns: Sequence[Column] | None = None,
    *,
    by: str = "model",
    above: Sequence[str] = (),
    notes: bool,
) -> None:
    if fmt == "rich":
        print_rich(table(width=terminal_width()), footer(), above=above, all_notes=notes)
    elif fmt == PARQUET:
        write_out(export_parquet(rows, keys))
    else:
        write_out(export(rows, fmt, by, columns=columns, keys=keys))
