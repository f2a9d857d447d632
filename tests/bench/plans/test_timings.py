"""The timings of plans that later runs on this machine find in the cache."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import Budget, Plan, RunSpec
from bench.plans.probe import PlanCandidate
from bench.plans.settle import cache_name, read_timings, write_timings
from tests.bench.train.training_by_hand import RECIPE

STEP = Plan(mode="step", threads=1)


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunSpec:
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path))
    return RunSpec(model="v0", recipe=RECIPE, budget=Budget(3, "epochs"))


def test_timings_are_kept_and_failures_are_not(spec: RunSpec) -> None:
    name = cache_name(spec, torch.device("cpu"))
    assert read_timings(name) == {}
    cold = PlanCandidate(STEP, [1.2345678e-5, 0.25, 0.5, 0.5], compile_s=3.5, is_cold=True)
    timed = PlanCandidate(Plan(), [0.5])
    write_timings(name, [cold, PlanCandidate(Plan(threads=1))])
    write_timings(name, [timed, PlanCandidate(STEP, error="not tried")])
    assert read_timings(name) == {STEP: cold, Plan(): timed}


def test_seconds_that_nobody_can_have_measured_choose_no_plan(spec: RunSpec) -> None:
    name = cache_name(spec, torch.device("cpu"))
    write_timings(name, [PlanCandidate(STEP, [0.5, -0.5]), PlanCandidate(Plan(), [0.0])])
    assert read_timings(name) == {}
    write_timings(name, [PlanCandidate(STEP, [0.5], compile_s=-1.0)])
    assert read_timings(name) == {}


def test_timings_serve_every_budget_but_no_other_recipe(spec: RunSpec) -> None:
    cpu = torch.device("cpu")
    name = cache_name(spec, cpu)
    assert cache_name(replace(spec, budget=Budget(9, "s"), seed=4), cpu) == name
    others = [
        replace(spec, model="v1"),
        replace(spec, model_hash="abc"),
        replace(spec, recipe=replace(RECIPE, batch_size=64)),
        replace(spec, is_deterministic=True),
    ]
    assert len({name, *(cache_name(other, cpu) for other in others)}) == 5


@pytest.mark.parametrize("content", [b"{}", b'{"timings": [{"plan": "warp"}, {}, 3]}'])
def test_a_strange_cache_is_no_failure(spec: RunSpec, content: bytes, tmp_path: Path) -> None:
    name = cache_name(spec, torch.device("cpu"))
    (tmp_path / "plans").mkdir()
    (tmp_path / name).write_bytes(content)
    assert read_timings(name) == {}
