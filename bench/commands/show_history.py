"""Shows a history of models over commits, and tells of drift where there is any."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.commands.show import DEFAULT_SORT, write_rows
from bench.shell import print_rich, terminal_width

if TYPE_CHECKING:
    from results import Summary

NEWS = 30  # commits: what is older has been seen


def show_history(
    summaries: "Sequence[Summary]",
    *,
    fmt: str = "rich",
    sort: str = DEFAULT_SORT,
    notes: bool = False,
) -> None:
    """Write the history of models over commits to stdout, by time where no other key is named.

    Drift is told below a table for people, and on GitHub, in any format, by warnings on stderr.
    """
    from results.gate.files import annotation
    from results.history.drift import drifts
    from results.history.rows import HISTORY_KEYS, history_rows
    from results.history.table import history_columns, history_footer_lines, render_history
    from results.rows.rows import sort_rows

    rows = history_rows(summaries)
    rows = rows if sort == DEFAULT_SORT else sort_rows(rows, sort)
    is_on_github = os.environ.get("GITHUB_ACTIONS") == "true"
    found = drifts(summaries) if fmt == "rich" or is_on_github else []
    if fmt == "rich":
        table = render_history(rows, width=terminal_width(), title="Fashion-MNIST, over commits")
        lines = [f"drift: {drift.text}" for drift in found]  # ends with a command, so with no dot
        print_rich(table, [*lines, *history_footer_lines(summaries)], all_notes=notes)
    else:
        write_rows(rows, fmt, HISTORY_KEYS, history_columns(rows))
    if is_on_github:
        for drift in found:  # a dip that is over is history
            if drift.is_worse and drift.is_last and drift.commits_ago <= NEWS:
                sys.stderr.write(annotation("warning", "drift", drift.text) + "\n")
