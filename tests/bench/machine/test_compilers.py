"""Compilations are counted where they happen: before the clock, or on it."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench import Budget, Plan, RunSpec
from bench.engine.warmup import Learner
from bench.machine.compilers import CompileCounts, compile_counts
from bench.measure.findings import Findings
from bench.measure.outcome import report_compilers
from bench.run.seed import run_seed
from bench.train import session
from tests.bench.run.session_by_hand import SPEC, open_session, silent, value
from tests.tiers import slow_but

pytestmark = pytest.mark.usefixtures("one_thread", "quick_collections")


@pytest.mark.slow
def test_a_compilation_and_a_recompilation_are_counted() -> None:
    double = torch.compile(partial(torch.mul, 2), dynamic=False)
    before = compile_counts()
    double(torch.ones(3))
    double(torch.ones(3))
    assert compile_counts().since(before).compilations == 1
    double(torch.ones(4))
    assert compile_counts().since(before).compilations == 2


def test_a_graph_break_is_counted() -> None:
    def broken(values: Tensor) -> Tensor:
        torch._dynamo.graph_break()
        return values + 1

    before = compile_counts()
    torch.compile(broken, backend="eager")(torch.ones(3))
    assert compile_counts().since(before).graph_breaks == 1


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["compile", "step:5", "step"])
def test_no_compiler_runs_on_the_clock(plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "usable_cores", lambda: 1)
    run = replace(SPEC, plan=Plan.parse(f"{plan},threads:1"), budget=Budget(25, "steps"))
    findings = Findings()
    run_seed(open_session(run), run, findings, silent)  # 100 images: each epoch ends ragged
    assert value(findings, "compilations_in_clock") == 0
    assert "compiled_in_clock" not in findings.flags


@pytest.mark.slow
def test_a_second_seed_compiles_nothing() -> None:
    run = replace(SPEC, plan=Plan(mode="step", steps_per_call=2, threads=1))
    opened = open_session(run)
    run_seed(opened, run, Findings(), silent)
    before = compile_counts()
    run_seed(opened, replace(run, seed=1), Findings(), silent)
    assert compile_counts().since(before).compilations == 0


def test_a_compiler_on_the_clock_is_flagged() -> None:
    findings = Findings()
    report_compilers(CompileCounts(compilations=2), findings)
    assert findings.flags == ["compiled_in_clock"]
    assert value(findings, "compilations_in_clock") == 2


class Sees(nn.Module):
    """Notes the strides of what its convolution gives."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 8, 3, padding=1)
        self.rest = nn.Sequential(nn.Flatten(), nn.Linear(8 * 28 * 28, 10))
        self.strides: list[tuple[int, ...]] = []

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, 10)."""
        maps = self.convolution(images)  # (B, 8, 28, 28)
        self.strides.append(maps.stride())
        logits: Tensor = self.rest(maps)
        return logits


@pytest.mark.parametrize(
    "plan",
    slow_but(
        {"channels_last", "dataloader,channels_last"},
        ["channels_last", "channels_last,step", "dataloader,channels_last"],
    ),
)
def test_the_first_convolution_gives_nhwc_under_channels_last(
    plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Sees()
    monkeypatch.setattr(session, "build_model", lambda _name: net)
    run: Any = RunSpec(
        model="v2", recipe=SPEC.recipe, budget=Budget(3, "steps"), plan=Plan.parse(plan)
    )
    opened = open_session(run)
    model = opened.model_for(0)
    learner = Learner(model, torch.optim.SGD(model.parameters(), lr=0.1), torch.Generator())
    engine = opened.engine_for(Plan.parse(plan), learner)
    engine.run([torch.arange(16)], [0.01])
    assert {strides[1] for strides in net.strides} == {1}  # channels lie beside each other
    net.strides.clear()
    opened.engine_for(Plan(), learner).run([torch.arange(16)], [0.01])
    assert {strides[1] for strides in net.strides} == {28 * 28}
