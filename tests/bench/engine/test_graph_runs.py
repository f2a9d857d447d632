"""Whole runs under graph:N on a simulated device: warm-up, legs, checkpoints, seeds, failures."""

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import Plan, RunSpec
from bench.engine.optimizer import make_optimizer
from bench.engine.warmup import Learner
from bench.errors import RunError
from bench.measure.findings import Findings
from bench.plans.settle import Trial
from bench.run.seed import run_seed
from bench.spec.artifacts import Artifacts, parse_every
from tests.bench.engine.cuda_by_hand import Simulation, simulate_cuda
from tests.bench.engine.test_graph_refusals import Reads
from tests.bench.keep.resume_by_hand import assert_same, killed_at_step, run, spec_of
from tests.bench.run.session_by_hand import open_session, silent
from tests.bench.train.training_by_hand import small_net
from tests.tiers import slow_but


@pytest.fixture(autouse=True)
def simulation(nets_to_resume: None, monkeypatch: pytest.MonkeyPatch) -> Simulation:
    monkeypatch.setattr("torch._inductor.compile", lambda graph, _examples, _options: graph)
    return simulate_cuda(monkeypatch)


# the others are refused: tests/bench/spec/test_plan_fit.py
RECIPES = ("sgd", "closed_loop", "adamw", "rmsprop")


def planned(recipe: str, plan: str) -> RunSpec:
    return replace(spec_of(recipe), plan=Plan.parse(f"{plan},threads:1"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "plan"),
    [("sgd", "graph:4"), ("adamw", "step,graph:4"), ("closed_loop", "channels_last,graph:3")],
)
def test_a_run_that_was_killed_goes_on_to_the_same_weights(
    recipe: str, plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = planned(recipe, plan)
    whole, found = run(spec, Artifacts(checkpoints=tmp_path / "whole"))
    artifacts = Artifacts(checkpoints=tmp_path / "killed", every=parse_every("3steps"))
    killed_at_step(16, spec, artifacts, monkeypatch)
    weights, again = run(spec, artifacts)
    assert again.conditions["resumed_at_step"] >= 12
    assert_same(weights, whole)
    assert again.samples["loss"].tolist() == found.samples["loss"].tolist()


@pytest.mark.parametrize("recipe", slow_but({"head"}, ("head", *RECIPES)))
def test_a_run_has_the_losses_of_an_eager_one(
    recipe: str, tmp_path: Path, simulation: Simulation
) -> None:
    eager, expected = run(planned(recipe, "eager"), Artifacts(checkpoints=tmp_path / "eager"))
    graph, found = run(planned(recipe, "graph:4"), Artifacts(checkpoints=tmp_path / "graph"))
    torch.testing.assert_close(found.samples["loss"], expected.samples["loss"], rtol=1e-4, atol=0)
    torch.testing.assert_close(graph, eager, rtol=1e-3, atol=1e-5)
    assert len(simulation.captures) == 3
    assert simulation.num_replays > 3


@pytest.fixture
def no_collections() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "plan"), [("closed_loop", "graph:4"), ("adamw", "step,graph:4")]
)
def test_seeds_of_a_session_share_what_was_compiled_and_free_their_graphs(
    recipe: str, plan: str, simulation: Simulation, no_collections: None
) -> None:
    opened = open_session(planned(recipe, plan))
    losses = []
    for seed in (3, 4, 3):
        findings, spec = Findings(), replace(opened.spec, seed=seed)
        run_seed(opened, spec, findings, silent)
        assert simulation.num_alive == 0
        losses.append(findings.samples["loss"].tolist())
    assert losses[0] == losses[2] != losses[1]


def test_a_model_that_cannot_be_captured_leaves_the_other_plans_of_a_probe(
    simulation: Simulation,
) -> None:
    model = small_net(size=28).append(Reads("item"))
    opened = open_session(spec_of("adamw"))
    optimizer = make_optimizer(opened.spec.recipe, model)
    trial = Trial(opened, Learner(model, optimizer, torch.Generator()))
    before = [parameter.clone() for parameter in model.parameters()]
    with pytest.raises(RunError, match="leave graph:N out"):
        trial.time_steps(Plan.parse("graph:4"))
    assert all(map(torch.equal, model.parameters(), before))
    assert not optimizer.state
    assert not any(group["capturable"] for group in optimizer.param_groups)
    assert len(trial.time_steps(Plan.parse("eager"))) == 2
    assert not simulation.is_poisoned
