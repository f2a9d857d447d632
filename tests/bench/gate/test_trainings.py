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
from results.gate.quality import judge_accuracy
from results.gate.verdict import Finding
from tests.bench.gate.test_quality import BASE, RULE, failed, shifted, trained


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


Answers = Mapping[int, RunRecord | str | WorkerError]
"""A record, what else a worker answers, or the error that it ends with, by seed."""


@dataclass
class Gate:
    """Workers of both sides whose runs are written down beforehand."""

    base: Answers
    head: Answers
    fails: WorkerError | None = None  # of a worker that does not start
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # of any, in time order
    num_started: int = 0
    records: list[RunRecord] = field(default_factory=list)

    @contextmanager
    def start(self, trees: Mapping[str, Path], _logs: Path) -> Iterator[list[SimpleNamespace]]:
        """A worker of each side."""
        assert trees == {"base": Path("b"), "head": Path("h")}
        self.num_started += 1
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


def runs(*accuracies: float) -> dict[int, RunRecord]:
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


def test_a_loss_is_confirmed_by_further_seeds() -> None:
    gate = Gate(ALIKE, runs(*(value - 0.02 for value in BASE.values())))
    accuracy, memory_ = gate.check()
    assert gate.turns == FIRST + SECOND
    assert accuracy.outcome == "worse"
    assert accuracy.evidence == "-2.0 points [-2.0, -2.0] over 6 seeds"
    assert memory_.outcome == "same"
    assert len(gate.records) == 12


def test_further_seeds_can_clear_a_doubt() -> None:
    head = shifted(-1.5, 0.4, 0.6, 0.1, -0.2, 0.3)
    gate = Gate(ALIKE, runs(*head.values()))
    assert judge_accuracy("v2", BASE, {k: head[k] for k in range(3)}, RULE).outcome == "unclear"
    assert gate.check()[0].outcome == "same"
    assert gate.turns == FIRST + SECOND


def test_a_grown_peak_is_confirmed_too() -> None:
    head = {seed: trained(seed, BASE[seed], mebibytes=80) for seed in range(6)}
    accuracy, memory = Gate(ALIKE, head).check()
    assert (accuracy.outcome, memory.outcome) == ("same", "worse")
    assert memory.evidence == "median of 6 seeds, more in 6"


def test_a_failed_run_needs_no_confirmation() -> None:
    gate = Gate(ALIKE, {**ALIKE, 1: failed(1)})
    (finding,) = gate.check()
    assert (finding.check, finding.outcome, len(gate.turns)) == ("run", "worse", 6)


def test_a_head_that_dies_is_worse_and_a_base_is_no_base() -> None:
    died = "the process was killed by SIGKILL (out of memory?)"
    gate = Gate(ALIKE, {**ALIKE, 1: WorkerError("head", died)})
    (finding,) = gate.check()
    assert (finding.check, finding.outcome, finding.evidence) == ("run", "worse", died)
    assert [record.extra[SIDE] for record in gate.records] == ["base", "head"]
    gate = Gate({**ALIKE, 0: WorkerError("base", died)}, ALIKE)
    (finding,) = gate.check()
    assert (finding.outcome, finding.evidence) == ("unusable", f"on the base: {died}")


@pytest.mark.parametrize(("side", "outcome"), [("base", "unusable"), ("head", "worse")])
def test_a_worker_that_does_not_start(side: str, outcome: str) -> None:
    gate = Gate(ALIKE, ALIKE, fails=WorkerError(side, "No module named 'bench.gate'"))
    (finding,) = gate.check()
    assert (finding.check, finding.outcome) == ("run", outcome)
    assert "No module named 'bench.gate'" in finding.evidence


def test_a_record_that_cannot_be_read_is_its_sides_failure() -> None:
    gate = Gate(ALIKE, {**ALIKE, 0: '{"schema_version": 99}'})
    (finding,) = gate.check()
    assert (finding.check, finding.outcome) == ("run", "worse")
    assert finding.evidence.startswith("its record cannot be read: ")


def test_every_model_has_fresh_workers() -> None:
    gate = Gate(ALIKE, {**ALIKE, 0: WorkerError("head", "gone")})
    for number, model in enumerate(("v2", "resnet8")):
        (finding,) = gate.check(model)
        assert (finding.model, finding.check, finding.outcome) == (model, "run", "worse")
        assert (finding.evidence, gate.num_started) == ("gone", number + 1)


def test_one_seed_that_differs_is_joined_by_another() -> None:
    gate = Gate(ALIKE, runs(*(value - 0.02 for value in BASE.values())))
    assert gate.check(seeds=1)[0].outcome == "worse"
    assert gate.turns == [("base", 0), ("head", 0), ("head", 1), ("base", 1)]
