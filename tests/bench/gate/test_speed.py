"""The rounds of a gate, the order of turns and the forecast, without a single training."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bench.gate import process, speed
from bench.gate.process import WorkerDiedError, WorkerError, in_workers
from bench.gate.quality import quality_steps
from bench.gate.run import Gate, GateOptions, Look, duration
from bench.gate.speed import (
    ORDERS,
    SIDES,
    Speed,
    Workload,
    checked_seconds,
    measure_speed,
    take_pairs,
)
from results.gate.pairs import AGAIN, BASE, HEAD, Pair, SpeedRule
from results.gate.quality import QualityRule
from results.gate.verdict import Commit

SAME = Pair((1.0,), (1.0,), (1.0,))
SLOW = Pair((1.0,), (1.3,), (1.0,))
WORKLOAD = Workload({"v0": "eager", "v2": "eager"}, "cpu", ("batch_size=32",))


class Scripted:
    """A worker that takes turns of one length and remembers who was asked what."""

    log: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, side: str, deadly: str | None = None) -> None:
        self.side, self.deadly = side, deadly

    def ask(self, question: str, **content: Any) -> Any:  # noqa: ANN401 - JSON
        """Answers as a worker does; a model may be the death of it."""
        self.log.append((self.side, question))
        if self.deadly and content.get("model") == self.deadly:
            raise WorkerDiedError(self.side, "killed")
        if question == "prepare":
            return {"steps": 3 if self.side == BASE else 7, "step_s": 0.1}
        if question == "turn":
            assert content["steps"] == 3  # the base's, for both
            return 0.1
        return None

    def stop(self) -> None:
        """Ends it."""
        self.log.append((self.side, "stop"))


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Scripted workers in the place of processes; what they are asked."""
    log: list[tuple[str, str]] = []
    monkeypatch.setattr(Scripted, "log", log)
    monkeypatch.setattr(
        process.Process,
        "start",
        lambda side, tree, _log: Scripted(side, "v0" if tree.name == "deadly" else None),
    )
    return log


def test_every_side_is_first_second_and_third_as_often_and_never_twice_in_a_row() -> None:
    places = [place for number in range(12) for place in ORDERS[number % len(ORDERS)]]
    assert all(one != other for one, other in pairwise(places))
    for first in range(0, len(ORDERS), 3):
        for position in range(3):
            assert {order[position] for order in ORDERS[first : first + 3]} == {0, 1, 2}
    followers = Counter(pairwise(places))
    assert max(followers.values()) - min(followers.values()) <= 2


def test_a_pair_has_a_turn_a_round_and_side_and_ends_its_workers(
    scripted: list[tuple[str, str]], tmp_path: Path
) -> None:
    trees = dict.fromkeys(SIDES, tmp_path)
    for number in range(6):
        pairs, failures = take_pairs(trees, WORKLOAD, ["v0", "v2"], number, tmp_path)
        assert (pairs, failures) == (dict.fromkeys(("v0", "v2"), Pair(*([(0.1,) * 9] * 3))), {})
    asked = Counter(scripted)
    assert asked[HEAD, "turn"] == asked[BASE, "turn"] == asked[AGAIN, "turn"] == 6 * 2 * 9
    stops = [side for side, question in scripted if question == "stop"]
    assert stops[3:6] == [HEAD, AGAIN, BASE]
    assert Counter(stops[::3]) == {BASE: 2, HEAD: 2, AGAIN: 2}  # the side that starts alternates


def test_a_worker_that_dies_over_a_model_leaves_the_others_to_fresh_ones(
    scripted: list[tuple[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "deadly").mkdir()
    trees = {BASE: tmp_path, HEAD: tmp_path / "deadly", AGAIN: tmp_path}
    pairs, failures = take_pairs(trees, WORKLOAD, ["v0", "v2"], 0, tmp_path)
    assert set(pairs) == {"v2"}
    assert failures["v0"].side == HEAD
    assert Counter(scripted)[BASE, "stop"] == 2  # v2 and, once more, v0 were left to others


@pytest.mark.parametrize(
    ("error", "answered", "num_started"),
    [
        (WorkerDiedError(HEAD, "killed by SIGKILL"), ["v2", "v0"], 2),  # once the machine's doing
        (WorkerError(HEAD, "ill"), ["v2"], 1),  # a failure that kills nobody
    ],
)
def test_a_model_is_asked_a_second_time_where_its_worker_died(
    scripted: list[tuple[str, str]],
    tmp_path: Path,
    error: WorkerError,
    answered: list[str],
    num_started: int,
) -> None:
    errors = iter([error])

    def action(_running: Sequence[Any], model: str) -> str:
        for once in errors:
            raise once
        return model

    answers, failures = in_workers({HEAD: tmp_path}, ["v0", "v2"], tmp_path, action)
    assert answers == {model: model for model in answered}
    assert failures == ({} if "v0" in answered else {"v0": error})
    assert Counter(scripted)[HEAD, "stop"] == num_started


@pytest.mark.parametrize("answer", [0.0, -1.0, math.inf, math.nan, None, "fast", [[1, 0.1]]])
def test_what_is_no_time_of_a_step_is_a_failure(answer: object) -> None:
    with pytest.raises(WorkerError, match="where seconds a step were asked for"):
        checked_seconds(HEAD, answer)


def measured(
    monkeypatch: pytest.MonkeyPatch,
    take: Callable[[Sequence[str], int], tuple[dict[str, Pair], dict[str, WorkerError]]],
    say: Callable[[str], None] = lambda _line: None,
) -> Speed:
    """What comes of both rounds of v0 and v2, whose pairs of a number are taken by `take`."""

    def take_pairs(_trees: Any, _load: Any, models: Sequence[str], number: int, _logs: Any) -> Any:  # noqa: ANN401
        return take(models, number)

    monkeypatch.setattr(speed, "take_pairs", take_pairs)
    return measure_speed({}, WORKLOAD, ["v0", "v2"], SpeedRule(), Path("logs"), say)


def test_what_looks_slower_is_measured_again_and_only_that(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[str], int]] = []
    said: list[str] = []

    def take(models: Sequence[str], number: int) -> tuple[dict[str, Pair], dict[str, WorkerError]]:
        asked.append(([*models], number))
        return {model: SLOW if model == "v2" else SAME for model in models}, {}

    found = measured(monkeypatch, take, said.append)
    assert asked[:6] == [(["v0", "v2"], number) for number in range(6)]
    assert asked[6:] == [(["v2"], number) for number in range(6, 12)]
    assert [len(found.first["v0"]), len(found.second["v2"]), "v0" in found.second] == [6, 6, False]
    assert said[0] == "pair 1 of 6: v0 +0.0 %, v2 +30.0 %"
    assert "measuring again, to be sure: v2" in said


@pytest.mark.parametrize("fails_at", [0, 3, 8])
def test_a_model_that_fails_is_out_of_both_rounds(
    monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    def take(models: Sequence[str], number: int) -> tuple[dict[str, Pair], dict[str, WorkerError]]:
        failures = {"v2": WorkerError(HEAD, "ill")} if number == fails_at else {}
        return {model: SLOW for model in models if model not in failures}, failures

    found = measured(monkeypatch, take)
    assert (set(found.first), set(found.second)) == ({"v0"}, {"v0"})
    assert set(found.failures) == {"v2"}


def forecast(checks: Sequence[str], look: Look) -> str:
    """What a gate of one model says beforehand, whose workers took 4 s to start."""
    commit, here = Commit("HEAD", "0" * 40, ""), Path()
    gate = Gate(
        base=commit,
        head=commit,
        trees={},
        options=GateOptions(
            request={},
            checks=checks,
            speed=SpeedRule(),
            quality=QualityRule(),
            train_s=4.0,
            seeds=3,
        ),
        data=here,
        folder=here,
        command="",
        say=print,
    )
    return gate._forecast({"v0": look}, Workload({}, "cpu", turn_s=0.1, rounds=10), 4.0)


def test_the_forecast_counts_pairs_and_trainings() -> None:
    look = Look({}, {}, step_s=0.01, ready_s=1.0)
    assert quality_steps(0.01, 4.0) == 400
    turns_s = 3 * (1 + 10 * 0.1 * 1.15)
    once = 5 * (1.5 * 4 + turns_s) + 4 + 6 * (4 + 2)
    assert forecast(["speed", "quality"], look) == (
        f"1 model: about {duration(once)}, {duration(2 * once)} if all must be measured again"
    )
    slow = look._replace(step_s=1.0)
    assert "about 0 s" in forecast(["quality"], slow)  # too few steps to train
    assert forecast(["speed"], slow) != forecast(["speed"], look)


def test_durations_are_in_minutes_and_seconds() -> None:
    said = [duration(seconds) for seconds in (3, 58, 61, 129)]
    assert said == ["5 s", "1 min 0 s", "1 min 0 s", "2 min 10 s"]
