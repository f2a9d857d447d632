"""Drift: steps in the history of a figure of a model over commits. A warning, never a failure.

A step has five commits or more on either side, so it is told four commits late at the earliest. The
two sides were measured on different nights: a machine that was slow for a week is told as well;
`results.history.steps` says how often. The line names the commits between which it lies, for a
gate.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from results.history.rows import commit_times
from results.history.steps import LEAST_VALUES, steps
from results.rows.comparable import asked_for, held_equal, labels
from results.rows.summary import Summary
from results.statistics import mean
from results.text import one_line, points

WINDOW = 200  # commits of a history that are looked at, the newest


class TrackedFigure(NamedTuple):
    """A figure of a row that may drift."""

    name: str
    value: Callable[[Summary], float | None]  # on the scale on which noise is even
    resolution: float  # noise below which nothing is looked for, on that scale
    least: float  # change that is worth a line
    text: Callable[[float], str]  # the size of a change
    is_gain: bool  # whether more of it is better


class Drift(NamedTuple):
    """A step of one figure of one model."""

    text: str  # all of it in a line
    is_worse: bool
    commits_ago: int  # of the whole history, newer than the first of the new level
    is_last: bool  # whether the figure has stayed at the new level


def drifts(summaries: Sequence[Summary]) -> list[Drift]:
    """The steps in the histories of all models, of summaries by commit; the newest first."""
    times = {commit: time for commit, time in commit_times(summaries).items() if time}
    histories = _histories(summaries, times)
    told = [
        asked_for(rows[0].spec) | {"device": rows[0].environment.get("device")}
        for rows in histories
    ]
    return [
        drift
        for name, history in zip(labels(told), histories, strict=True)
        for figure in FIGURES
        for drift in _drifts(name, figure, history, times)
    ]


def _images_per_s(summary: Summary) -> float | None:
    rates = summary.rates()
    return math.log(mean(rates)) if rates and min(rates) > 0 else None


def _memory(summary: Summary) -> float | None:
    peak = summary.maximum("peak_memory")
    return math.log(peak) if peak else None


def _share(change: float) -> str:
    return f"{abs(math.expm1(change)) * 100:.0f} %"


FIGURES = (
    TrackedFigure("images/s", _images_per_s, 0.01, 0.02, _share, is_gain=True),
    TrackedFigure(
        "test accuracy",
        lambda row: row.mean("test_accuracy"),
        0.001,
        0.002,
        lambda change: f"{points(abs(change))} points",
        is_gain=True,
    ),
    TrackedFigure("peak memory", _memory, 0.01, 0.02, _share, is_gain=False),
)


def _histories(summaries: Sequence[Summary], times: Mapping[str, str]) -> list[list[Summary]]:
    """Rows that may be held against each other, in order of time, if they are enough for a step."""
    groups: dict[bytes, list[Summary]] = {}
    for summary in summaries:
        if summary.finished and summary.commits[0] in times:
            held = [asked_for(summary.spec), held_equal(summary.records[0])]
            key = msgspec.json.encode(held, order="sorted")
            groups.setdefault(key, []).append(summary)
    return [
        sorted(group, key=lambda summary: times[summary.commits[0]])[-WINDOW:]
        for group in groups.values()
        if len(group) >= 2 * LEAST_VALUES
    ]


def _drifts(
    name: str, figure: TrackedFigure, history: Sequence[Summary], times: Mapping[str, str]
) -> Iterator[Drift]:
    """Between which measured commits a figure has changed, and by how much, the newest first."""
    known = [(row.commits[0], value) for row in history if (value := figure.value(row)) is not None]
    found = steps([value for _, value in known], figure.resolution)
    for step in reversed(found):
        change = step.after - step.before
        if abs(change) < figure.least:
            continue
        (before, _), (after, _) = known[step.index - 1 : step.index + 1]
        ago = sum(time > times[after] for time in times.values())
        text = (
            f"{name}: {figure.name} {'fell' if change < 0 else 'rose'} by {figure.text(change)} "
            f"between {before} and {after} ({times[after][:10]}), {ago} commits ago"
        )
        if all(re.fullmatch("[0-9a-f]{7,40}", commit) for commit in (before, after)):
            text += f"; fmnist-bench gate --base {before} --head {after}"  # + marks changed files
        yield Drift(one_line(text), (change < 0) == figure.is_gain, ago, step is found[-1])
