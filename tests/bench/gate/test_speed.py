"""The rounds of a gate, the order of turns and the forecast, without a single training."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bench.gate import process, run, speed
from bench.gate.process import WorkerDiedError, WorkerError, in_workers
from bench.gate.quality import quality_steps
from bench.gate.run import Gate, GateOptions, Look, duration
from bench.gate.speed import ORDERS, SIDES, Workload, checked_seconds, measure_speed, take_pairs
from results.gate.pairs import AGAIN, BASE, HEAD, Pair, SpeedRule
from results.gate.quality import QualityRule
from results.gate.verdict import Commit

SAME = Pair((1.0,), (1.0,), (1.0,))
SLOW = Pair((1.0,), (1.3,), (1.0,))
WORKLOAD = Workload({"v0": "eager", "v2": "eager"}, "cpu", ("batch_size=32",))


@dataclass
class Scripted:
    """A worker that takes turns of one length, and notes who was asked what."""

    side: str
    asked: list[tuple[str, str]]

    def ask(self, question: str, **content: Any) -> Any:  # noqa: ANN401 - JSON
        """Answers as a worker does."""
        self.asked.append((self.side, question))
        if question == "prepare":
            return {"steps": 3 if self.side == BASE else 7, "step_s": 0.1}
        if question == "turn":
            assert content["steps"] == 3  # the base's, for both
            return 0.1
        return None

    def stop(self) -> None:
        """Ends it."""
        self.asked.append((self.side, "stop"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What scripted workers, in the place of processes, are asked."""
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(process.Process, "start", lambda side, *_: Scripted(side, asked))
    return asked


def test_every_side_is_first_second_and_third_as_often_and_never_twice_in_a_row() -> None:
    places = [place for number in range(12) for place in ORDERS[number % len(ORDERS)]]
    assert all(one != other for one, other in pairwise(places))
    for first in range(0, len(ORDERS), 3):
        for position in range(3):
            assert {order[position] for order in ORDERS[first : first + 3]} == {0, 1, 2}
    followers = Counter(pairwise(places))
    assert max(followers.values()) - min(followers.values()) <= 2


def test_a_pair_has_a_turn_a_round_and_side_and_ends_its_workers(
    asked: list[tuple[str, str]], tmp_path: Path
) -> None:
    trees = dict.fromkeys(SIDES, tmp_path)
    for number in range(6):
        pairs, failures = take_pairs(trees, WORKLOAD, ["v0", "v2"], number, tmp_path)
        assert (pairs, failures) == (dict.fromkeys(("v0", "v2"), Pair(*([(0.1,) * 9] * 3))), {})
    num_turns = Counter(side for side, question in asked if question == "turn")
    assert num_turns == {HEAD: 108, BASE: 108, AGAIN: 108}  # 6 pairs, 2 models, 9 rounds
    stops = [side for side, question in asked if question == "stop"]
    assert stops[3:6] == [HEAD, AGAIN, BASE]
    assert Counter(stops[::3]) == {BASE: 2, HEAD: 2, AGAIN: 2}  # the side that starts alternates


DIED, ILL = WorkerDiedError(HEAD, "killed by SIGKILL"), WorkerError(HEAD, "ill")


@pytest.mark.parametrize(
    ("errors", "answered", "failures", "num_started"),
    [
        ([DIED], ["v2", "v0"], {}, 2),  # once it may be the machine's doing
        ([DIED, DIED], ["v2"], {"v0": DIED}, 2),  # v2, and once more v0, are left to fresh ones
        ([ILL], ["v2"], {"v0": ILL}, 1),  # a failure that kills nobody
    ],
)
def test_a_model_is_asked_a_second_time_where_its_worker_died(
    asked: list[tuple[str, str]],
    tmp_path: Path,
    errors: list[WorkerError],
    answered: list[str],
    failures: dict[str, WorkerError],
    num_started: int,
) -> None:
    left = [*errors]

    def action(_running: Sequence[Any], model: str) -> str:
        if model == "v0" and left:
            raise left.pop()
        return model

    answers = {model: model for model in answered}
    assert in_workers({HEAD: tmp_path}, ["v0", "v2"], tmp_path, action) == (answers, failures)
    assert asked.count((HEAD, "stop")) == num_started


@pytest.mark.parametrize("answer", [0.0, -1.0, math.inf, math.nan, None, "fast", [[1, 0.1]]])
def test_what_is_no_time_of_a_step_is_a_failure(answer: object) -> None:
    with pytest.raises(WorkerError, match="where seconds a step were asked for"):
        checked_seconds(HEAD, answer)


@pytest.mark.parametrize("fails_at", [None, 0, 3, 8])
def test_what_looks_slower_is_measured_again_and_what_fails_is_out_of_both_rounds(
    monkeypatch: pytest.MonkeyPatch, fails_at: int | None
) -> None:
    asked: list[tuple[list[str], int]] = []
    said: list[str] = []

    def take(_trees: Any, _load: Any, models: Sequence[str], number: int, _logs: Any) -> Any:  # noqa: ANN401
        asked.append(([*models], number))
        failures = {"v1": ILL} if number == fails_at else {}
        pairs = {"v0": SAME, "v1": SLOW, "v2": SLOW}
        return {model: pairs[model] for model in models if model not in failures}, failures

    monkeypatch.setattr(speed, "take_pairs", take)
    models = ["v0", "v1", "v2"]
    found = measure_speed({}, WORKLOAD, models, SpeedRule(), Path("logs"), said.append)
    well = models if fails_at is None else ["v0", "v2"]
    numbers = {model: len(pairs) for model, pairs in found.first.items()}
    assert numbers == dict.fromkeys(well, 6)
    assert {model: len(pairs) for model, pairs in found.second.items()} == {
        model: 6 for model in well if model != "v0"
    }
    assert found.failures == ({} if fails_at is None else {"v1": ILL})
    assert [number for _, number in asked] == [*range(12)]
    if fails_at is None:
        assert [names for names, _ in asked] == [models] * 6 + [["v1", "v2"]] * 6
        assert said[0] == "pair 1 of 6: v0 +0.0 %, v1 +30.0 %, v2 +30.0 %"
        assert said[6:8] == [
            "measuring again, to be sure: v1, v2",
            "pair 1 of 6: v1 +30.0 %, v2 +30.0 %",
        ]


def gate_of(checks: Sequence[str]) -> Gate:
    """A gate of three trainings of 4 s a model and side."""
    commit, here = Commit("HEAD", "0" * 40, ""), Path()
    return Gate(
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


def forecast(checks: Sequence[str], look: Look) -> str:
    """What a gate of one model says beforehand, whose workers took 4 s to start."""
    load = Workload({}, "cpu", turn_s=0.1, rounds=10)
    return gate_of(checks)._forecast({"v0": look}, load, 4.0)


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


def test_a_model_that_is_too_slow_to_be_trained_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = []

    def check(_trees: Any, _load: Any, model: str, steps: int, *_: Any, **__: Any) -> list[Any]:  # noqa: ANN401
        trained.append((model, steps))
        return []

    monkeypatch.setattr(run, "check_quality", check)
    gate = gate_of(["quality"])
    gate.models = ["v0", "v2"]
    gate._judge_quality(WORKLOAD, {"v0": Look({}, {}, 1.0), "v2": Look({}, {}, 0.01)})
    assert [(finding.model, finding.outcome) for finding in gate.findings] == [("v0", "skipped")]
    assert trained == [("v2", 400)]


def test_durations_are_in_minutes_and_seconds() -> None:
    said = [duration(seconds) for seconds in (3, 58, 61, 129)]
    assert said == ["5 s", "1 min 0 s", "1 min 0 s", "2 min 10 s"]
