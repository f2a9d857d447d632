"""Sweeps that are killed and resumed are the sweep that nobody disturbed; four of them."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from results import RunStore
from tests.benchmarks.killed_sweeps import (
    Outcome,
    Pace,
    Workload,
    draw,
    killed_sweeps,
    summary,
    undisturbed,
)
from tests.benchmarks.killing import problems_of
from tests.results.records_by_hand import make_record


@pytest.mark.slow
def test_four_killed_sweeps_lose_nothing(data_root: Path, tmp_path: Path) -> None:
    workload = Workload(steps=60, seeds=2, data=data_root)
    wanted, pace = undisturbed(workload, tmp_path / "undisturbed")
    generator = random.Random(0)
    drawn = [draw(number, generator, workload.num_runs, pace) for number in range(4)]
    outcomes = killed_sweeps(workload, drawn, tmp_path, wanted, jobs=2)
    assert [outcome.problems for outcome in outcomes if not outcome.is_well] == []
    assert len((tmp_path / "killed.jsonl").read_text().splitlines()) == 4


def test_what_is_wrong_with_a_sweep_is_seen(tmp_path: Path) -> None:
    quantities = ("test_accuracy", "test_loss", "train_accuracy", "steps", "images_seen")
    values = dict.fromkeys(quantities, 0.5)
    good = make_record(seed=0, values=values)
    good = replace(
        good,
        measurements={**good.measurements, "train_loss": good.measurements["test_loss"]},
    )
    samples = {"loss": [1.0, 0.5], "learning_rate": [0.1, 0.1]}
    wanted, found = RunStore(tmp_path / "wanted"), RunStore(tmp_path / "found")
    for seed in range(3):
        record_id = f"{seed:016}"
        spec = good.spec | {"seed": seed}
        wanted.append(replace(good, record_id=record_id, spec=spec), samples)
    first = replace(good, record_id="a" * 16)
    found.append(first, samples)
    found.append(replace(first, record_id="b" * 16), samples)
    other = samples | {"loss": [1.0, 0.25]}
    found.append(replace(good, record_id="c" * 16, spec=good.spec | {"seed": 1}), other)
    (found.folder / "samples" / ".left.tmp").touch()
    problems = problems_of(found, wanted)
    run = good.config_id
    assert problems["lost"] == [f"{(run, 2)}"]
    assert problems["duplicated"] == [f"{(run, 0)}: 2"]
    assert problems["differing"] == [f"{(run, 1)}: samples loss"]
    assert problems["left"] == [str(found.folder / "samples" / ".left.tmp")]


def test_the_summary_counts_by_victim_and_by_what_the_sweep_was_doing() -> None:
    outcomes = [
        Outcome(0, "parent", False, 0, 1.0, killed_s=1.0, num_recorded=0, num_resumes=1),
        Outcome(1, "parent", True, 3, 0.1, killed_s=5.0, num_recorded=3, num_resumes=1, torn=1),
        Outcome(2, "fork server", False, 4, 0.1, problems={"lost": ["one"]}, num_resumes=2),
    ]
    lines = summary(outcomes, num_runs=4).splitlines()
    assert lines[0] == (
        "| killed | before the first record | between records | after the last | not killed |"
    )
    assert lines[2] == "| parent | 1 | 1 | 0 | 0 |"
    assert lines[5] == "| fork server | 0 | 0 | 0 | 1 |"
    assert lines[-1] == (
        "3 sweeps of 4 runs, 1 of them saving models, 4 resumptions, 0 trainings gone on with. "
        "Records: lost 1, duplicated 0, differing 0, left 0. "
        "Torn lines 1, samples without a record 0."
    )


def test_moments_are_drawn_from_the_whole_sweep() -> None:
    generator = random.Random(1)
    drawn = [draw(number, generator, 4, Pace(5.0, 1.0)) for number in range(200)]
    assert {outcome.after for outcome in drawn} == {0, 1, 2, 3, 4}
    assert max(outcome.delay_s for outcome in drawn if outcome.after) <= 1.0
    assert sum(outcome.is_saving for outcome in drawn) == 40
