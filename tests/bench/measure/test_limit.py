"""What a run reports of its limit: counts of a step, floor, share of it, and what binds."""

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from bench import Plan
from bench.machine.ceilings import MIB, Ceilings
from bench.measure import limit, outcome
from bench.measure.findings import Findings
from bench.measure.limit import BEAT_FLOOR, LEAST_PROFILED_STEPS, UNSEEN, report_limit, rounded
from bench.run.seed import run_seed
from bench.train.session import Session
from bench.train.training import Trace, Training
from tests.bench.run.session_by_hand import SPEC, open_session, silent, value

pytestmark = pytest.mark.usefixtures("one_thread", "quick_collections")
CEILINGS = Ceilings({MIB: 1e12}, {"fp32": 1e14}, 1e-7)  # more than any CPU has
SHARES = ("floor", "percent_of_floor", "mfu", "bandwidth")


def measured(ceilings: Ceilings | None = CEILINGS) -> tuple[Session, Findings]:
    session, findings = open_session(), Findings()
    session.ceilings = ceilings
    run_seed(session, SPEC, findings, silent)
    return session, findings


def test_a_run_states_its_floor_and_what_binds() -> None:
    session, findings = measured()
    batch = SPEC.recipe.batch_size
    assert value(findings, "flops_per_step") == 31_960 * batch
    assert value(findings, "bytes_per_step") == session.costs[Plan(threads=1)].num_bytes
    step_s = value(findings, "train_time") * batch / value(findings, "images_seen")
    percent = 100 * value(findings, "floor") / step_s
    assert value(findings, "percent_of_floor") == pytest.approx(percent, rel=0.01)
    assert 0 < percent < 100
    mfu = 31_960 * batch / step_s / 1e14
    assert value(findings, "mfu") == pytest.approx(mfu, rel=0.01)
    limit = findings.conditions["limit"]
    assert limit["binds"] in {"bandwidth", "latency"}
    assert (limit["flops_per_s"], limit["latency_s"]) == (1e14, 1e-7)
    assert findings.missing["kernels_per_step"]
    assert BEAT_FLOOR not in findings.flags


def test_a_run_that_beats_its_floor_is_flagged() -> None:
    _, findings = measured(Ceilings({MIB: 1e3}, {"fp32": 1e3}, 1e-7))
    assert value(findings, "percent_of_floor") > 100
    assert BEAT_FLOOR in findings.flags


def test_without_ceilings_counts_remain_and_a_seed_trains_alike() -> None:
    (_, known), (_, findings) = measured(), measured(None)
    assert {findings.missing[name] for name in SHARES} == {"no ceilings were measured"}
    assert value(findings, "bytes_per_step") > 0
    assert "limit" not in findings.conditions
    assert (known.samples["loss"] == findings.samples["loss"]).all()


def test_a_precision_without_a_ceiling_has_no_mfu() -> None:
    _, findings = measured(replace(CEILINGS, matmul_flops_per_s={}))
    assert "fp32" in findings.missing["mfu"]
    assert value(findings, "percent_of_floor") > 0
    assert findings.conditions["limit"]["flops_per_s"] is None


def test_several_gpus_have_no_ceilings() -> None:
    session, _ = measured()
    session.costs[Plan(parallel="dp")] = session.costs[Plan(threads=1)]
    session.plan, fresh = Plan(parallel="dp"), Findings()
    report_limit(session, SPEC, fresh)
    reason = "plan dp: the ceilings are those of one GPU"
    assert fresh.missing == dict.fromkeys(SHARES, reason)


def test_a_step_is_counted_once_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    session, _ = measured()
    monkeypatch.setattr("bench.measure.limit.passes_of_step", None)  # would fail if it were called
    findings = Findings()
    run_seed(session, replace(SPEC, seed=1), findings, silent)
    assert value(findings, "bytes_per_step") > 0


def test_figures_have_three_significant_digits() -> None:
    assert rounded(209_212_599_428.0) == 209e9
    assert rounded(0.00123456) == 0.00123
    assert rounded(None) is None


class Counted:
    """Trains some seeds whose kernels are counted as on a GPU, though all of it is on a CPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kernels: float | None, seeds: int) -> None:
        self.order: list[tuple[str, int]] = []  # what happened, and steps
        self.kernels, self.really_run = kernels, Training.run
        self.session = open_session()
        self.session.num_seeds, self.session.ceilings = seeds, CEILINGS
        monkeypatch.setenv("TEARDOWN_CUPTI", "")  # so that it is taken away again
        monkeypatch.delenv("TEARDOWN_CUPTI")
        monkeypatch.setattr(limit, "count_kernels", self._count)
        monkeypatch.setattr(Training, "run", lambda training: self._run(training))  # noqa: PLW0108
        monkeypatch.setattr(Session, "random_batch", lambda *_: torch.arange(16))
        monkeypatch.setattr(outcome, "report_limit", lambda *_: self._move("cpu"))
        self.findings = [self._trained(seed) for seed in range(seeds)]

    def _move(self, device: str) -> None:
        self.session.device = torch.device(device)

    def _count(self, run: Callable[[], object], num_steps: int) -> float | None:
        self.order.append(("count", num_steps))
        run()
        return self.kernels

    def _run(self, training: Training) -> Trace:
        trace = self.really_run(training)
        self.order.append(("train", trace.steps))
        self._move("cuda:0")  # from here on
        return trace

    def _trained(self, seed: int) -> Findings:
        findings = Findings()
        run_seed(self.session, replace(SPEC, seed=seed), findings, silent)
        report_limit(self.session, SPEC, findings)
        return findings


def test_kernels_are_counted_once_after_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Counted(monkeypatch, 12.0, seeds=2)
    assert found.order == [("train", 20), ("count", LEAST_PROFILED_STEPS), ("train", 20)]
    assert [value(findings, "kernels_per_step") for findings in found.findings] == [12.0, 12.0]
    assert {value(findings, "floor") for findings in found.findings} == {12.0 * 1e-7}
    assert os.environ["TEARDOWN_CUPTI"] == "1"  # the profiler lets go before another seed trains


def test_the_count_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    _, plain = measured()
    (findings,) = Counted(monkeypatch, 12.0, seeds=1).findings
    for quantity in ("test_accuracy", "test_loss"):
        assert value(findings, quantity) == value(plain, quantity)
    assert value(findings, "compilations_in_clock") == 0
    assert "TEARDOWN_CUPTI" not in os.environ


def test_kernels_that_nobody_saw_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Counted(monkeypatch, None, seeds=2)
    assert [what for what, _ in found.order].count("count") == 1
    assert {findings.missing["kernels_per_step"] for findings in found.findings} == {UNSEEN}
