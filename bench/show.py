"""Shows results on stdout: the table for a terminal, exports for programs."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError
from bench.streams import READER_GONE, silence

if TYPE_CHECKING:
    from rich.console import RenderableType

    from results import RunRecord, Summary
    from results.columns import Column

GROUPINGS = ("model", "commit", "plan")
PUBLISHED = "published"
HISTORY = "commit"
DEFAULT_SORT = "test_accuracy"
MANY_RECORDS = 20_000
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
    sort: str = DEFAULT_SORT,
    mixed: bool = False,
) -> None:
    """Writes the table of some records to stdout.

    Ladders stand alone: where there are any, other records are left out, and a line says so. By
    `published` the reference systems stand alone, each beside its own published number. By
    `commit` they are a history, in the order of time where no other key is named.

    Raises:
        NotComparable: the records must not stand side by side, and `mixed` does not allow it.
        ResultsError: no such format, grouping or column.
    """
    from results import ROW_KEYS, check_comparable, is_ladder, summarize, table_rows

    check_format(fmt)
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
    if by == HISTORY:
        from bench.show_history import show_history

        show_history(summaries, fmt=fmt, sort=sort)
        return
    rows = table_rows(summaries, sort)
    if fmt == "rich":
        _show_rich(summaries, rows, by)
    else:
        write_rows(rows, fmt, ROW_KEYS, by=by)


def check_format(fmt: str) -> None:
    """Refuses a format that there is not, or that cannot be written to this stdout.

    Raises:
        ResultsError: In one line, with the remedy.
    """
    from results import FORMATS, PARQUET, check_parquet
    from results.errors import ResultsError

    choices = ("rich", *FORMATS, PARQUET)
    if fmt not in choices:
        raise ResultsError(f"unknown format {fmt!r}; choose from {', '.join(choices)}")
    if fmt != PARQUET:
        return
    if sys.stdout.isatty():
        raise ResultsError("parquet is bytes; write it to a file: ... > table.parquet")
    check_parquet()


def show_ladders(rungs: "Sequence[RunRecord]", *, fmt: str = "rich", num_others: int = 0) -> None:
    """Writes ladders to stdout, and to stderr how many other records are left out."""
    from results import LADDER_KEYS, ladder_columns, ladder_rows

    if num_others:
        sys.stderr.write(f"{num_others} records of ordinary runs left out: a ladder stands alone\n")
    rows = ladder_rows(rungs)
    if fmt == "rich":
        _show_rich_ladders(rungs, rows)
        return
    write_rows(rows, fmt, LADDER_KEYS, ladder_columns(rows))


def show_published(records: "Sequence[RunRecord]", *, fmt: str = "rich") -> None:
    """Writes published numbers beside ours to stdout, and to stderr how many records are left out.

    Raises:
        ResultsError: no such format, or no record of a reference system.
    """
    from results import PARQUET, PUBLISHED_KEYS, export_published, is_published, published_rows
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
    from results import PARQUET, export, export_parquet

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


def write_out(content: str | bytes) -> None:
    """Writes to stdout; a reader that has gone, as in `table | head -1`, is no failure.

    Raises:
        UsageError: stdout takes no more for another reason, such as a full disk, or only some
            characters, and there are others in the content.
    """
    with _reader_may_go():
        if isinstance(content, bytes):
            sys.stdout.buffer.write(content)
        else:
            sys.stdout.write(content)
        sys.stdout.flush()


@contextmanager
def _reader_may_go() -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError:
        what = f"stdout takes {sys.stdout.encoding} only, and there is more to write"
        raise UsageError(f"{what}; set PYTHONIOENCODING=utf-8") from None
    except OSError as error:
        silence(sys.stdout.fileno())  # Python would stumble over it again when it exits
        if error.errno not in READER_GONE:
            raise UsageError(f"cannot write to stdout: {error.strerror}") from error


def as_far_as_shown(text: str) -> str:
    """Text for a person, with ? where stdout has no such character."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def end_at_once(num_records: int, code: int = 0) -> None:
    """Ends the process here where so many records would take a while to free (100,000: 0.5 s)."""
    if num_records < MANY_RECORDS:
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


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


def _show_rich(summaries: "Sequence[Summary]", rows: "Sequence[dict[str, Any]]", by: str) -> None:
    from results import footer_lines, render_table

    table = render_table(rows, width=terminal_width(), by=by, title="Fashion-MNIST")
    print_rich(table, footer_lines(summaries, rows=rows))


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
    with _reader_may_go():  # rich writes nothing at the end of a capture, and stumbles over it
        with console.capture() as capture:
            for line in [*above, *([""] if above else [])]:
                console.print(line, markup=False, highlight=False, soft_wrap=not is_terminal)
            console.print(table)
            console.print()
            for line in lines:
                console.print(line, markup=False, highlight=False, soft_wrap=not is_terminal)
        write_out(as_far_as_shown(capture.get()))
