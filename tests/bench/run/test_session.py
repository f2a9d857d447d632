"""One configuration on small synthetic data: plan, warm-up, seeds and what a run reports."""

import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from bench import Budget, Plan
from bench.engine.engine import Engine
from bench.engine.warmup import Learner, restored
from bench.errors import RunError
from bench.machine.clock import CpuClock
from bench.machine.memory import CpuMemoryMeter
from bench.machine.meters import Meters
from bench.measure.findings import Findings
from bench.run.seed import assemble, prepare, run_seed
from bench.train import session
from bench.train.training import Progress
from data_pipeline import ResidentSplit
from tests.bench.run.session_by_hand import SPEC, measured, open_session, value
from tests.bench.train.training_by_hand import flat_state

pytestmark = pytest.mark.usefixtures("small_session")
ADAMW_FP16 = replace(SPEC.recipe, optimizer="adamw", precision="fp16")


def test_processes_of_a_compiler_do_not_import_from_the_cwd() -> None:
    # a `struct.py` there ends Inductor's probe of the CPU, and it writes scalar code without a word
    seen = []
    engine = SimpleNamespace(
        group_steps=2, run=lambda _batches, _rates: seen.append(os.environ.get("PYTHONSAFEPATH"))
    )
    open_session().meet_shapes(cast(Engine, engine))
    assert seen == ["1"] * 3


@pytest.mark.parametrize(("drop_last", "last"), [(False, [[4]]), (True, [])])
def test_each_shape_of_call_is_met_once(*, drop_last: bool, last: list[list[int]]) -> None:
    met = []
    engine = SimpleNamespace(
        group_steps=2, run=lambda batches, _rates: met.append([len(batch) for batch in batches])
    )
    opened = open_session(replace(SPEC, recipe=replace(SPEC.recipe, drop_last=drop_last)))
    opened.meet_shapes(cast(Engine, engine))
    assert met == [[16, 16], [16], *last]  # of 100 images


def test_a_run_reports_everything_or_why_not() -> None:
    opened = open_session()
    opened.setup_s["data"] = 1.5
    findings = measured(opened=opened)
    from bench.measure.findings import UNITS

    added_by_the_runner = {"cold_total"}
    of_other_budgets = {"overrun", "overrun_energy", "time_to_target"}
    reported = findings.measurements.keys() | findings.missing.keys()
    assert reported >= UNITS.keys() - added_by_the_runner - of_other_budgets
    assert value(findings, "steps") == 20
    assert value(findings, "images_seen") == 2 * 100 + 6 * 16 == 296  # the ragged batch has 4
    assert value(findings, "epochs") == pytest.approx(2.96)
    assert value(findings, "data_load_time") == 1.5
    assert findings.missing["energy"]
    assert findings.samples["loss"].shape == (20,)
    assert findings.samples["chunk_steps"].sum() == 20
    assert value(findings, "train_loss") == pytest.approx(float(findings.samples["loss"][-1]))


def test_derived_figures_fit_together() -> None:
    findings = measured()
    seconds, images = value(findings, "train_time"), value(findings, "images_seen")
    assert value(findings, "throughput") == pytest.approx(images / seconds)
    assert value(findings, "epoch_time") == pytest.approx(seconds * 100 / images)
    assert findings.samples["chunk_seconds"].sum() == pytest.approx(seconds, rel=0.5)
    assert 0 < value(findings, "time_in_steps") <= 1
    assert value(findings, "step_time_p50") <= value(findings, "step_time_p95")


def test_what_seeds_share_is_reported_once() -> None:
    opened = open_session()
    first, second = measured(opened=opened), measured(replace(SPEC, seed=1), opened)
    assert "compile_time" in first.measurements
    assert second.missing["compile_time"] == "spent once, by the first seed"


def test_a_model_at_chance_and_less_than_an_epoch_are_flagged() -> None:
    assert measured().flags == ["at_chance"]  # labels of noise
    assert "under_trained" in measured(replace(SPEC, budget=Budget(5, "steps"))).flags


def test_a_seed_gives_the_same_after_others_as_on_its_own() -> None:
    opened = open_session()
    for seed in (0, 1):
        measured(replace(SPEC, seed=seed), opened)
    again = measured(SPEC, opened)
    alone = measured()
    assert (again.samples["loss"] == alone.samples["loss"]).all()
    assert again.confusion == alone.confusion


def test_a_failed_evaluation_leaves_the_next_seed_in_training_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = open_session()

    def run_out_of_memory(_model: torch.nn.Module, _split: ResidentSplit, **_: object) -> None:
        _model.eval()
        raise MemoryError

    monkeypatch.setattr(session, "evaluate", run_out_of_memory)
    with pytest.raises(MemoryError):
        measured(opened=opened)
    assert opened.model_for(1).training


def test_the_gradient_scale_of_fp16_starts_fresh_after_the_warm_up() -> None:
    run = replace(SPEC, recipe=ADAMW_FP16)
    opened = open_session(run)
    training = prepare(opened, run, opened.model_for(0), Findings(), lambda *_: None).training
    scaler = torch.amp.GradScaler("cpu")
    found = training.engine.scaler  # type: ignore[attr-defined]
    assert found.state_dict() == scaler.state_dict()


def test_set_up_draws_nothing_that_training_would_draw() -> None:
    opened = open_session(replace(SPEC, plan=None))
    model = opened.model_for(0)
    weights, rng = flat_state(model), torch.get_rng_state()
    training = prepare(opened, SPEC, model, Findings(), lambda *_: None).training
    assert torch.equal(flat_state(model), weights)
    assert torch.equal(torch.get_rng_state(), rng)
    expected = torch.Generator().manual_seed(session.AUGMENTATION_SEED)
    feed = training.engine.feed  # type: ignore[attr-defined]
    assert torch.equal(feed.generator.get_state(), expected.get_state())


@pytest.mark.parametrize("seed", [0, 3])
def test_data_order_and_augmentation_follow_the_seed(seed: int) -> None:
    run = replace(SPEC, seed=seed)
    opened = open_session(run)
    training = prepare(opened, run, opened.model_for(seed), Findings(), lambda *_: None).training
    order = torch.randperm(100, generator=torch.Generator().manual_seed(seed + session.ORDER_SEED))
    assert torch.equal(training.stream.take(1)[0], order[:16])
    feed = training.engine.feed  # type: ignore[attr-defined]
    assert feed.generator.initial_seed() == seed + session.AUGMENTATION_SEED


def test_weights_order_and_augmentation_draw_from_streams_of_their_own() -> None:
    offsets = (0, session.ORDER_SEED, session.AUGMENTATION_SEED)
    drawn = [torch.rand(1, generator=torch.Generator().manual_seed(7 + at)) for at in offsets]
    assert len({float(number) for number in drawn}) == 3


def test_auto_leaves_out_what_the_recipe_has_no_place_for_and_says_so() -> None:
    muon = replace(SPEC.recipe, optimizer="muon")
    run = replace(SPEC, model="v2", recipe=muon, plan=None)
    opened = open_session(run)
    assert value(measured(run, opened), "steps") == 20
    refused = [tried["error"] for tried in opened.tried if "step" in tried["plan"]]
    assert refused == ["not tried: plan step cannot compile optimizer muon"]


def test_auto_settles_the_plan_once_and_tells_what_it_tried() -> None:
    run = replace(SPEC, plan=None)
    opened = open_session(run)
    first, second = measured(run, opened), measured(replace(run, seed=1), opened)
    *eager, compiled = opened.tried
    assert {Plan.parse(tried["plan"]) for tried in eager} == {Plan(), Plan(threads=1)}
    assert opened.plan in {Plan(), Plan(threads=1)}
    assert "not tried: compiling takes about" in compiled["error"]  # for twenty steps
    assert "probe_time" in first.measurements
    assert "probe_time" in second.missing


def test_without_validation_there_is_no_curve() -> None:
    assert measured(opened=open_session(num_validation=0)).curve is None


def test_a_deterministic_curve_does_not_depend_on_the_clock() -> None:
    curve = measured(replace(SPEC, is_deterministic=True)).curve
    assert curve is not None
    fractions = [fraction for _, fraction, _, _ in curve]
    assert fractions == [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


def test_a_curve_that_cannot_be_afforded_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_session()
    monkeypatch.setattr(opened, "curve_points", lambda _model, _validation, _seconds: ())
    findings = measured(opened=opened)
    assert findings.curve is None
    assert "a fifth" in findings.missing["curve"]


@pytest.mark.parametrize(("split", "num_images"), [("test", 80), ("validation", 64)])
def test_the_final_pass_is_over_the_split_that_was_asked_for(split: str, num_images: int) -> None:
    findings = measured(replace(SPEC, evaluation_split=split))
    assert findings.confusion is not None
    assert sum(map(sum, findings.confusion)) == num_images


def test_validation_that_was_not_kept_cannot_be_evaluated() -> None:
    run = replace(SPEC, evaluation_split="validation")
    with pytest.raises(RunError, match="needs a validation_fraction"):
        measured(run, open_session(run, num_validation=0))


def test_phases_are_told_in_their_order() -> None:
    phases: list[str] = []

    def watch(_seed: int, phase: str, _progress: Progress | None) -> None:
        phases.append(phase)

    run_seed(open_session(), SPEC, Findings(), watch)
    assert list(dict.fromkeys(phases)) == ["set-up", "probe", "warm-up", "train", "evaluate"]


class Card:
    """A GPU that always draws 300 W."""

    def power_watts(self) -> float:
        """Always the same."""
        return 300.0


@pytest.mark.parametrize(
    ("budget", "has_gpu", "cost"),
    [("60s", True, 0.002), ("500J", True, 0.6), ("3epochs", True, 1), ("60s", False, 0.002)],
)
def test_predicted_cost_of_a_step(budget: str, has_gpu: bool, cost: float) -> None:
    meters = Meters(CpuClock(), CpuMemoryMeter(0), cast("Any", Card()) if has_gpu else None)
    run, engine = replace(SPEC, budget=Budget.parse(budget)), cast(Engine, None)
    training = assemble(open_session(), run, engine, meters, 0.002)
    assert training.pacer.per_step == pytest.approx(cost)


def test_warm_up_puts_back_buffers_that_no_state_dict_holds() -> None:
    model = torch.nn.Linear(2, 2)
    model.register_buffer("seen", torch.zeros(1), persistent=False)
    learner = Learner(model, torch.optim.SGD(model.parameters(), lr=0.1), torch.Generator())
    with restored(learner):
        model.get_buffer("seen").add_(1)
    assert float(model.get_buffer("seen")) == 0.0
