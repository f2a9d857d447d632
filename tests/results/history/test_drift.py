"""Steps in the histories of models over commits: what is told of them, and where."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bench.commands.table import show
from results import RunRecord, summarize
from results.history.drift import WINDOW, drifts
from tests.results.records_by_hand import ENVIRONMENT, make_record, make_values

PLACE = (
    "between 0000000019 and 0000000020 (2026-01-21), 14 commits ago; "
    "fmnist-bench gate --base 0000000019 --head 0000000020"
)


def night(number: int, model: str = "v0", **fields: Any) -> list[RunRecord]:  # noqa: ANN401
    """Two seeds of a commit that is made on day `number`; its figures may be named."""
    seconds, accuracy = fields.pop("seconds", 2.0), fields.pop("accuracy", 0.9)
    memory = fields.pop("memory", 100 * 2**20)
    month, day = divmod(number, 28)
    time = f"2026-{month + 1:02d}-{day + 1:02d}T01:00:00+00:00"
    commit = f"{number:010d}" * 4
    provenance = {"commit": commit, "dirty": False, "time_utc": time}
    return [
        make_record(
            model,
            seed,
            values=make_values(accuracy + seed / 1000, seconds, 7_850, memory),
            **{"provenance": provenance, **fields},
        )
        for seed in range(2)
    ]


def nights(*levels: tuple[int, dict[str, Any]], first: int = 0) -> list[RunRecord]:
    """So many nights of each level."""
    every = [level for count, level in levels for _ in range(count)]
    return [run for number, level in enumerate(every, first) for run in night(number, **level)]


def lines(records: Sequence[RunRecord]) -> list[str]:
    return [drift.text for drift in drifts(summarize(records, by="commit"))]


@pytest.mark.parametrize(
    ("level", "text"),
    [
        ({"seconds": 2.5}, "images/s fell by 20 %"),
        ({"seconds": 1.6}, "images/s rose by 25 %"),
        ({"accuracy": 0.88}, "test accuracy fell by 2.00 points"),
        ({"accuracy": 0.92}, "test accuracy rose by 2.00 points"),
        ({"memory": 125 * 2**20}, "peak memory rose by 25 %"),
        ({"memory": 90 * 2**20}, "peak memory fell by 10 %"),
    ],
)
def test_a_step_is_a_line_with_its_commit(level: dict[str, Any], text: str) -> None:
    records = nights((20, {}), (15, level))
    assert lines(records) == lines(records[::-1]) == [f"v0: {text} {PLACE}"]


@pytest.mark.parametrize(
    ("level", "is_told"),
    [
        ({"seconds": 2.0 * 1.015}, False),  # 1.5 % fewer images/s
        ({"seconds": 2.0 * 1.03}, True),
        ({"accuracy": 0.8985}, False),  # 0.15 points
        ({"accuracy": 0.8975}, True),
        ({"memory": int(101.5 * 2**20)}, False),
        ({"memory": 103 * 2**20}, True),
    ],
)
def test_a_step_that_is_not_worth_a_line_has_none(
    level: dict[str, Any],
    is_told: bool,
) -> None:
    assert bool(lines(nights((60, {}), (60, level)))) == is_told


def test_steps_are_told_the_newest_first_and_model_by_model() -> None:
    v0 = nights((6, {}), (6, {"seconds": 3.0}), (6, {"seconds": 2.0, "accuracy": 0.8}))
    v1 = nights((12, {"model": "v1"}), (6, {"model": "v1", "memory": 2**30}))
    told = [line.partition(" between ")[0] for line in lines(v0 + v1)]
    assert told == [
        "v0: images/s rose by 50 %",
        "v0: images/s fell by 33 %",
        "v0: test accuracy fell by 10.0 points",
        "v1: peak memory rose by 924 %",
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"environment": ENVIRONMENT | {"torch": "2.15.0"}},
        {"spec": {"recipe": {"name": "adam"}}},
        {"spec": {"budget": "10epochs"}},
        {"spec": {"requested_plan": "eager"}},
        {"model": "v1"},
    ],
)
def test_only_what_is_comparable_is_one_history(fields: dict[str, Any]) -> None:
    assert lines(nights((20, {}), (20, {"seconds": 4.0, **fields}))) == []
    both = lines(nights((20, {}), (20, fields), (20, {**fields, "seconds": 4.0})))
    assert [line.partition(":")[2].partition(" between")[0] for line in both] == [
        " images/s fell by 50 %"
    ]


def test_namesakes_are_told_apart() -> None:
    eager = {"spec": {"requested_plan": "eager"}}
    records = nights((20, {}), (20, {"seconds": 4.0})) + nights((20, eager), first=50)
    (line,) = lines(records)
    assert line.startswith("v0 (auto): images/s fell by 50 % between 0000000019 and 0000000020")
    assert " 39 commits ago; " in line  # those of the other plan count as well


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "crashed", "reason": "signal 9"},
        {"provenance": {"commit": "f" * 40, "dirty": False}},  # at an unknown time
        {"measurements": {}},
    ],
)
def test_runs_that_say_nothing_are_stepped_over(fields: dict[str, Any]) -> None:
    assert lines(nights((10, {}), (3, fields), (10, {"seconds": 4.0}))) == [
        "v0: images/s fell by 50 % between 0000000009 and 0000000013 (2026-01-14), 9 commits ago; "
        "fmnist-bench gate --base 0000000009 --head 0000000013"
    ]


def test_what_is_no_commit_has_no_gate() -> None:
    dirty = [
        replace(run, provenance=run.provenance | {"dirty": True})
        for run in nights((10, {"seconds": 2.5}), first=10)
    ]
    (line,) = lines([*nights((10, {})), *dirty])
    assert line.endswith("between 0000000009 and 0000000010+ (2026-01-11), 9 commits ago")


def test_only_the_newest_commits_are_looked_at() -> None:
    old, new = {"seconds": 4.0}, {"seconds": 2.0}
    assert len(lines(nights((20, old), (WINDOW - 5, new)))) == 1
    assert lines(nights((20, old), (WINDOW, new))) == []


def test_a_short_history_has_none() -> None:
    assert lines(nights((5, {}), (4, {"seconds": 9.0}))) == lines([]) == []


@pytest.fixture
def on_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")


HISTORY = nights((20, {}), (15, {"seconds": 2.5, "memory": 80 * 2**20}))
FALL = f"v0: images/s fell by 20 % {PLACE}"


def test_drift_stands_below_the_history(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    show(HISTORY, by="commit")
    out, err = capsys.readouterr()
    less = f"v0: peak memory fell by 20 % {PLACE}"
    _, below = out.split("\n\n")
    assert below.splitlines()[:2] == [f"drift: {FALL}", f"drift: {less}"]
    assert err == ""
    show(HISTORY)  # rows of models have no history
    assert "drift" not in capsys.readouterr().out


@pytest.mark.usefixtures("on_github")
@pytest.mark.parametrize("fmt", ["rich", "json", "markdown"])
def test_github_shows_what_got_worse_of_late(fmt: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(HISTORY, by="commit", fmt=fmt)
    out, err = capsys.readouterr()
    assert err == f"::warning title=drift::{FALL.replace('%', '%25')}\n"
    assert ("drift" in out) == (fmt == "rich")
    show(nights((20, {}), (32, {"seconds": 2.5})), by="commit", fmt=fmt)
    assert capsys.readouterr().err == ""  # 31 commits ago: no news


@pytest.mark.usefixtures("on_github")
@pytest.mark.parametrize("back", [2.0, 2.2])
def test_a_dip_that_is_over_is_told_but_is_no_warning(
    back: float, capsys: pytest.CaptureFixture[str]
) -> None:
    show(nights((15, {}), (8, {"seconds": 3.0}), (7, {"seconds": back})), by="commit")
    out, err = capsys.readouterr()
    assert out.count("drift: ") == 2
    assert err == ""


@pytest.mark.usefixtures("on_github")
def test_a_name_starts_no_command_of_github_and_steers_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hostile = {"model": "v0\n::error title=x::pwned\x1b[31m 100%0A"}
    show(nights((8, hostile), (8, {**hostile, "seconds": 2.5})), by="commit")
    out, err = capsys.readouterr()
    (warning,) = err.splitlines()
    name = r"v0\n::error title=x::pwned\u001b[31m 100%250A"
    assert warning.startswith(f"::warning title=drift::{name}: ")
    assert warning.isprintable()
    (line,) = [line for line in out.splitlines() if line.startswith("drift: ")]
    assert line.isprintable()
    assert not [line for line in out.splitlines() if line.startswith("::")]
