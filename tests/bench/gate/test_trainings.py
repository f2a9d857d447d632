"""Trainings of two commits in turns, and again where they leave a doubt; nothing is trained."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.gate import process
from bench.gate.process import WorkerError
from bench.gate.quality import SIDE, check_quality, quality_steps, skipped
from bench.gate.speed import Workload
from results import RunRecord
from results.gate.verdict import Finding
from tests.results.gate.quality_by_hand import BASE, RULE, failed, shifted, trained


@pytest.mark.parametrize(
    ("step_s", "steps"),
    [(0.0001, 2000), (0.002, 2000), (0.01, 400), (0.04, 100), (0.0404, None), (5.0, None)],
)
def test_the_length_of_a_training(step_s: float, steps: int | None) -> None:
    assert quality_steps(step_s, 4.0) == steps


def test_why_a_training_would_be_too_short() -> None:
    remedy = "too few to judge; --train-seconds gives more"
    assert skipped("v0", 0.2221, train_s=4.0).evidence == f"18 steps in 4 s are {remedy}"
    assert skipped("v0", 2.0, train_s=2.5).evidence == f"1 step in 2.5 s is {remedy}"


Answers = dict[int, RunRecord | str | WorkerError]
"""A record, what else a worker answers, or the error that it ends with, by seed."""


@dataclass
class Gate:
    """Workers of both sides whose runs are written down beforehand."""

    base: Answers
    head: Answers
    fails: WorkerError | None = None  # of a worker that does not start
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # of any, in time order
    records: list[RunRecord] = field(default_factory=list)

    @contextmanager
    def start(self, trees: Mapping[str, Path], _logs: Path) -> Iterator[list[SimpleNamespace]]:
        """A worker of each side."""
        assert trees == {"base": Path("b"), "head": Path("h")}
        if self.fails:
            raise self.fails
        yield [SimpleNamespace(side=side, ask=partial(self.answer, side)) for side in trees]

    def answer(self, side: str, question: str, **content: Any) -> str:  # noqa: ANN401
        """The record of a seed as JSON."""
        assert question == "train"
        self.told.append((side, content))
        answer = (self.base if side == "base" else self.head)[content["seed"]]
        if isinstance(answer, WorkerError):
            raise answer
        return answer if isinstance(answer, str) else answer.to_json_line().decode()

    def check(self, model: str = "v2", **options: Any) -> list[Finding]:  # noqa: ANN401
        """The findings."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(process, "started", self.start)
            return check_quality(
                {"base": Path("b"), "head": Path("h")},
                Workload({model: "resident,threads:1"}, "cpu", ["batch_size=64"]),
                model,
                400,
                Path("data"),
                Path("logs"),
                RULE,
                **{"seeds": 3, "done": self.records.append, **options},
            )

    @property
    def turns(self) -> list[tuple[str, int]]:
        """Who trained which seed, in time order."""
        return [(side, content["seed"]) for side, content in self.told]


def runs(*accuracies: float) -> Answers:
    return {seed: trained(seed, accuracy) for seed, accuracy in enumerate(accuracies)}


ALIKE = runs(*BASE.values())
FIRST = [("base", 0), ("head", 0), ("head", 1), ("base", 1), ("base", 2), ("head", 2)]
SECOND = [("head", 3), ("base", 3), ("base", 4), ("head", 4), ("head", 5), ("base", 5)]


def test_seeds_take_turns_on_both_sides_and_each_record_is_told_with_its_own() -> None:
    gate = Gate(ALIKE, ALIKE)
    assert [finding.outcome for finding in gate.check(timeout_s=77.0)] == ["same", "same"]
    assert gate.turns == FIRST
    assert gate.told[1][1] == {
        "model": "v2",
        "plan": "resident,threads:1",
        "device": "cpu",
        "settings": ["batch_size=64"],
        "steps": 400,
        "seed": 0,
        "data": "data",
        "timeout_s": 77.0,
    }
    assert [(record.extra, record.spec["seed"]) for record in gate.records] == [
        ({SIDE: side}, seed) for side, seed in FIRST
    ]


LOST = runs(*(value - 0.02 for value in BASE.values()))
GROWN = {seed: trained(seed, BASE[seed], mebibytes=80) for seed in range(6)}
DOUBTFUL = runs(*shifted(-1.5, 0.4, 0.6, 0.1, -0.2, 0.3).values())  # of three seeds unclear
DIED = "the process was killed by SIGKILL (out of memory?)"


@pytest.mark.parametrize(
    ("head", "turns", "outcomes", "evidence"),
    [
        (LOST, FIRST + SECOND, ["worse", "same"], "-2.0 points [-2.0, -2.0] over 6 seeds"),
        (DOUBTFUL, FIRST + SECOND, ["same", "same"], "-0.1 points [-0.8, +0.7] over 6 seeds"),
        (GROWN, FIRST + SECOND, ["same", "worse"], "the same in all 6 seeds"),
        (ALIKE | {1: failed(1)}, FIRST, ["worse"], "seed 1 diverged: the loss became nan"),
        (ALIKE | {1: WorkerError("head", DIED)}, FIRST[:3], ["worse"], DIED),
    ],
    ids=["lost", "doubtful", "grown", "failed", "died"],
)
def test_more_seeds_are_trained_where_that_may_tell_more(
    head: Answers, turns: list[tuple[str, int]], outcomes: list[str], evidence: str
) -> None:
    gate = Gate(ALIKE, head)
    found = gate.check()
    assert [finding.outcome for finding in found] == outcomes
    assert found[0].evidence == evidence
    assert gate.turns == turns
    assert len(gate.records) == len(turns) - (evidence == DIED)


def test_one_seed_that_differs_is_joined_by_another() -> None:
    gate = Gate(ALIKE, LOST)
    assert gate.check(seeds=1)[0].outcome == "worse"
    assert gate.turns == [("base", 0), ("head", 0), ("head", 1), ("base", 1)]


def test_a_base_that_dies_is_no_base() -> None:
    (finding,) = Gate(ALIKE | {0: WorkerError("base", DIED)}, ALIKE).check()
    assert (finding.outcome, finding.evidence) == ("unusable", f"on the base: {DIED}")


@pytest.mark.parametrize(("side", "outcome"), [("base", "unusable"), ("head", "worse")])
def test_a_worker_that_does_not_start(side: str, outcome: str) -> None:
    gate = Gate(ALIKE, ALIKE, fails=WorkerError(side, "No module named 'bench.gate'"))
    (finding,) = gate.check()
    assert (finding.model, finding.check, finding.outcome) == ("v2", "run", outcome)
    assert "No module named 'bench.gate'" in finding.evidence


def test_a_record_that_cannot_be_read_is_its_sides_failure() -> None:
    (finding,) = Gate(ALIKE, ALIKE | {0: '{"schema_version": 99}'}).check()
    assert (finding.check, finding.outcome) == ("run", "worse")
    assert finding.evidence.startswith("its record cannot be read: ")
