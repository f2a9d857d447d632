"""Compilations are counted where they happen: before the clock, or on it."""

import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench import Budget, Plan
from bench.engine.warmup import Learner
from bench.machine import compilers
from bench.machine.compilers import CompileCounts, compile_counts, why_no_compiler
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


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("exit 0", None),
        ("echo a.h: error: no such file >&2; exit 1", r"\(a.h: error: .*\); install what it inc"),
        ("echo trouble; exit 1", r"cannot compile \(it says nothing\)"),
        (None, r"^torch.compile needs a C\+\+ compiler: .* \(/no where is none\)$"),
    ],
)
def test_a_compiler_is_tried_before_it_is_counted_on(
    program: str | None, why: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would catch a compiler without headers, which fails once a net has been traced."""
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path))
    script = write_compiler(tmp_path / "compiler", program or "")
    monkeypatch.setenv("CXX", str(script) if program else "/no where")
    found = why_no_compiler()
    assert found is why if why is None else re.search(why, str(found))
    assert why_no_compiler("cuda") == (None if program else found)


def test_a_compiler_that_worked_is_not_tried_again_by_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would catch a trial in every child, or a compiler of yesterday that is still believed."""
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path))
    calls = tmp_path / "calls"
    script = write_compiler(tmp_path / "compiler", f"echo >> {calls}; exit 1")
    monkeypatch.setenv("CXX", str(script))
    found = [tried_anew() for _ in range(2)]  # what failed may work now
    assert all(found)
    write_compiler(script, f"echo >> {calls}")
    assert [tried_anew() for _ in range(2)] == [None, None]
    assert calls.read_text(encoding="utf-8") == "\n" * 3
    os.utime(script, (2e9, 2e9))
    assert tried_anew() is None
    assert calls.read_text(encoding="utf-8") == "\n" * 4


def write_compiler(path: Path, program: str) -> Path:
    path.write_text(f"#!/bin/sh\n{program}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def tried_anew() -> str | None:
    """The answer in a process that has not asked before."""
    compilers._try_compiler.cache_clear()
    return why_no_compiler()


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
    monkeypatch.setattr(session, "default_threads", lambda: 1)
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
    strides: list[tuple[int, ...]] = []
    convolution, rest = nn.Conv2d(1, 8, 3, padding=1), nn.Linear(8 * 28 * 28, 10)

    class Sees(nn.Sequential):
        """Notes the strides of what its convolution gives, in the graph too."""

        def forward(self, images: Tensor) -> Tensor:
            """Logits (B, 10)."""
            maps = convolution(images)  # (B, 8, 28, 28)
            strides.append(maps.stride())
            logits: Tensor = rest(maps.flatten(1))
            return logits

    monkeypatch.setattr(session, "build_model", lambda *_: Sees(convolution, rest))
    opened = open_session(replace(SPEC, model="v2", plan=Plan.parse(plan)))
    model = opened.model_for(0)
    for used, channel_stride in ((Plan.parse(plan), 1), (Plan(), 28 * 28)):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        engine = opened.engine_for(used, Learner(model, optimizer, torch.Generator()))
        engine.run([torch.arange(16)], [0.01])
        assert {found[1] for found in strides} == {channel_stride}
        strides.clear()
