"""Shows a history of models over commits, and tells of drift where there is any."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.commands.show import DEFAULT_SORT, write_rows
from bench.shell import print_rich, terminal_width

if TYPE_CHECKING:
    from results import Summary
    from results.history.drift import Drift

NEWS = 30  # commits: what is older has been seen


def show_history(
    summaries: "Sequence[Summary]",
    *,
    fmt: str = "rich",
    sort: str = DEFAULT_SORT,
    notes: bool = False,
) -> None:
    """Writes the history of models over commits to stdout, by time where no other key is named.

    Drift is told below a table for people, and on GitHub, in any format, by warnings on stderr.
    """
    from results.history.drift import drifts
    from results.history.rows import HISTORY_KEYS, history_rows
    from results.history.table import history_columns
    from results.rows.rows import sort_rows

    is_by_time = sort == DEFAULT_SORT
    rows = history_rows(summaries, is_brief=is_by_time and fmt == "rich")
    rows = rows if is_by_time else sort_rows(rows, sort)
    is_on_github = os.environ.get("GITHUB_ACTIONS") == "true"
    found = drifts(summaries) if fmt == "rich" or is_on_github else []
    if fmt == "rich":
        _show_rich(summaries, rows, found, notes=notes)
    else:
        write_rows(rows, fmt, HISTORY_KEYS, history_columns(rows))
    if is_on_github:
        sys.stderr.writelines(map(_warning, filter(_is_news, found)))


def _show_rich(
    summaries: "Sequence[Summary]",
    rows: "Sequence[dict[str, Any]]",
    found: "Sequence[Drift]",
    *,
    notes: bool,
) -> None:
    from results.history.table import history_footer_lines, render_history

    table = render_history(rows, width=terminal_width(), title="Fashion-MNIST, over commits")
    lines = [f"drift: {drift.text}" for drift in found]  # ends with a command, so with no dot
    print_rich(table, [*lines, *history_footer_lines(summaries)], all_notes=notes)


def _is_news(drift: "Drift") -> bool:
    """Whether a figure got worse of late and has stayed so: a dip that is over is history."""
    return drift.is_worse and drift.is_last and drift.commits_ago <= NEWS


def _warning(drift: "Drift") -> str:
    from results.gate.files import annotation

    return annotation("warning", "drift", drift.text) + "\n"
