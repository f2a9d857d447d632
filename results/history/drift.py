"""Drift: steps in the history of a figure of a model over commits. A warning, never a failure.

A step has five commits or more on either side, so it is told four commits late at the earliest. The
two sides were measured on different nights: a machine that was slow for a week is told as well;
`results.history.steps` says how often. The line names the commits between which it lies, for a
gate.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from results.history.rows import commit_times
from results.history.steps import LEAST_VALUES, steps
from results.rows.comparable import asked_for, held_equal, labels
from results.rows.summary import Summary
from results.statistics import mean
from results.text import one_line, points

WINDOW = 200  # commits of a history that are looked at, the newest


class TrackedFigure(NamedTuple):
    """A figure of a row that may drift.

    Attributes:
        name: in words.
        value: of a summary, on the scale on which noise is even; None where it is unknown.
        resolution: noise below which nothing is looked for, on that scale.
        least: change that is worth a line.
        text: the size of a change.
        is_gain: whether more of it is better.
    """

    name: str
    value: Callable[[Summary], float | None]
    resolution: float
    least: float
    text: Callable[[float], str]
    is_gain: bool


class Drift(NamedTuple):
    """A step of one figure of one model.

    Attributes:
        text: all of it in a line.
        is_worse: whether it is for the worse.
        commits_ago: commits of the whole history that are newer than the first of the new level.
        is_last: whether the figure has stayed at the new level.
    """

    text: str
    is_worse: bool
    commits_ago: int
    is_last: bool


class _CommitStep(NamedTuple):
    """Between two commits a figure has changed by so much, for good or until the next step."""

    before: str
    after: str
    change: float
    is_last: bool


def drifts(summaries: Sequence[Summary]) -> list[Drift]:
    """The steps in the histories of all models, the newest of each figure first.

    Args:
        summaries: Configurations, grouped by commit.
    """
    times = {commit: time for commit, time in commit_times(summaries).items() if time}
    histories = _histories(summaries, times)
    names = labels([_telling(history[0]) for history in histories])
    return [
        _drift(name, figure, step, times)
        for name, history in zip(names, histories, strict=True)
        for figure in FIGURES
        for step in _commit_steps(figure, history)
    ]


def drift_lines(summaries: Sequence[Summary]) -> list[str]:
    """A line for each step in the histories of all models; see `drifts`."""
    return [drift.text for drift in drifts(summaries)]


def _images_per_s(summary: Summary) -> float | None:
    rates = summary.rates()
    return math.log(mean(rates)) if rates and min(rates) > 0 else None


def _memory(summary: Summary) -> float | None:
    peak = summary.maximum("peak_memory")
    return math.log(peak) if peak else None


def _share(change: float) -> str:
    return f"{abs(math.expm1(change)) * 100:.0f} %"


def _points(change: float) -> str:
    return f"{points(abs(change))} points"


FIGURES = (
    TrackedFigure("images/s", _images_per_s, 0.01, 0.02, _share, is_gain=True),
    TrackedFigure(
        "test accuracy", lambda row: row.mean("test_accuracy"), 0.001, 0.002, _points, True
    ),
    TrackedFigure("peak memory", _memory, 0.01, 0.02, _share, is_gain=False),
)


def _histories(summaries: Sequence[Summary], times: Mapping[str, str]) -> list[list[Summary]]:
    """Rows that may be held against each other, in order of time, if they are enough for a step."""
    groups: dict[bytes, list[Summary]] = {}
    key_of = _comparable_key()
    for summary in summaries:
        if summary.finished and summary.commits[0] in times:
            groups.setdefault(key_of(summary), []).append(summary)
    return [
        sorted(group, key=lambda summary: times[summary.commits[0]])[-WINDOW:]
        for group in groups.values()
        if len(group) >= 2 * LEAST_VALUES
    ]


def _comparable_key() -> Callable[[Summary], bytes]:
    """What must be equal, as text; written once for the records of a store that share it."""
    written: dict[tuple[int, int], bytes] = {}

    def key(summary: Summary) -> bytes:
        parts = (id(summary.spec), id(summary.environment))
        if parts not in written:
            held = [asked_for(summary.spec), held_equal(summary.records[0])]
            written[parts] = orjson.dumps(held, option=orjson.OPT_SORT_KEYS)
        return written[parts]

    return key


def _telling(summary: Summary) -> dict[str, Any]:
    return asked_for(summary.spec) | {"device": summary.environment.get("device")}


def _commit_steps(figure: TrackedFigure, history: Sequence[Summary]) -> Iterator[_CommitStep]:
    """Between which measured commits a figure has changed, and by how much, the newest first."""
    known = [(row, value) for row in history if (value := figure.value(row)) is not None]
    found = steps([value for _, value in known], figure.resolution)
    for step in reversed(found):
        change = step.after - step.before
        if abs(change) >= figure.least:
            before, after = (known[step.index - ago][0].commits[0] for ago in (1, 0))
            yield _CommitStep(before, after, change, is_last=step is found[-1])


def _drift(name: str, figure: TrackedFigure, step: _CommitStep, times: Mapping[str, str]) -> Drift:
    ago = sum(time > times[step.after] for time in times.values())
    verb = "fell" if step.change < 0 else "rose"
    place = f"between {step.before} and {step.after} ({times[step.after][:10]}), {ago} commits ago"
    text = f"{name}: {figure.name} {verb} by {figure.text(step.change)} {place}{_command(step)}"
    return Drift(one_line(text), (step.change < 0) == figure.is_gain, ago, step.is_last)


def _command(step: _CommitStep) -> str:
    """What measures the two in turns; nothing where one is no commit: + marks changed files."""
    if not all(re.fullmatch("[0-9a-f]{7,40}", commit) for commit in (step.before, step.after)):
        return ""
    return f"; fmnist-bench gate --base {step.before} --head {step.after}"
