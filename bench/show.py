"""Shows results on stdout: the table for a terminal, exports for programs."""

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results import RunRecord, Summary

WIDTH_OFF_TERMINAL = 120  # rich's own 80 would hide half of the columns in a CI log


def show(
    records: "Sequence[RunRecord]",
    *,
    fmt: str = "rich",
    by: str = "model",
    sort: str = "test_accuracy",
    mixed: bool = False,
) -> None:
    """Writes the table of some records to stdout.

    Raises:
        NotComparable: the records must not stand side by side, and `mixed` does not allow it.
        ResultsError: no such format, grouping or column.
    """
    from results import FORMATS, check_comparable, export, summarize, table_rows
    from results.errors import ResultsError

    if fmt not in ("rich", *FORMATS):
        raise ResultsError(f"unknown format {fmt!r}; choose from rich, {', '.join(FORMATS)}")
    if not mixed:
        check_comparable(records)
    summaries = summarize(records, by)  # type: ignore[arg-type]  # checked inside
    rows = table_rows(summaries, sort)
    if fmt == "rich":
        _show_rich(summaries, rows, by)
    else:
        write_out(export(rows, fmt, by).rstrip("\n") + "\n")


def write_out(text: str) -> None:
    """Writes to stdout; a reader that has gone, as in `table | head -1`, is no failure."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # Python would stumble over it again when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_rich(summaries: "Sequence[Summary]", rows: "Sequence[dict[str, Any]]", by: str) -> None:
    from rich.console import Console

    from results import footer_lines, render_table

    is_terminal = sys.stdout.isatty()
    columns = shutil.get_terminal_size((WIDTH_OFF_TERMINAL, 24)).columns
    console = Console(width=columns, force_terminal=is_terminal, highlight=False)
    with console.capture() as capture:  # rich itself would exit with 1 where the reader has gone
        console.print(render_table(rows, width=columns, by=by, title="Fashion-MNIST"))
        console.print()
        for line in footer_lines(summaries):
            console.print(line, markup=False, highlight=False, soft_wrap=not is_terminal)
    write_out(capture.get())
