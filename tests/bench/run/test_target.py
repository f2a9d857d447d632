"""`--target`: where a training ends, what its record says of that, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from bench import RECIPES, Budget, Plan, RunSpec, UsageError
from bench.measure.findings import Findings
from bench.run.seed import run_seed
from bench.spec.artifacts import Artifacts, parse_every
from bench.sweep.checked import check_options
from bench.sweep.request import Request
from bench.train import session
from bench.train.control import Control
from bench.train.curve import TARGET_POINTS
from bench.train.session import Session
from bench.train.training import Pauses
from results import read_records
from tests.bench.keep.resume_by_hand import assert_same, build, killed_at_step, run, spec_of
from tests.bench.run.session_by_hand import open_session, silent, value
from tests.bench.train.training_by_hand import RECIPE, HandScores, Rig, make_rig
from tests.command_line import REPOSITORY
from tests.tiers import slow_but

pytestmark = pytest.mark.usefixtures("small_session")
WATCHING = replace(RECIPE, validation_fraction=0.1)
LOOKS = (0.1, 0.5, 1.0)
REACHED, MISSED = 0.02, 0.99  # by 64 images with labels of noise


def rig_of(target: float, accuracies: tuple[float, ...], **options: Any) -> Rig:  # noqa: ANN401
    """A training of 96 steps that finds these accuracies, look by look."""
    rig = make_rig(curve_fractions=LOOKS, **options)
    found = iter(accuracies)
    rig.training.validate = lambda: HandScores(next(found))
    rig.training.control = Control(WATCHING, nn.Linear(1, 1), target)
    return rig


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize(("target", "steps"), [(0.25, 10), (0.5, 48), (0.7, 96), (0.9, 96)])
def test_a_training_ends_at_the_first_look_that_reaches_it(
    target: float, steps: int, lag: int
) -> None:
    rig = rig_of(target, (0.3, 0.5, 0.7), lag=lag)
    trace = rig.training.run()
    assert trace.steps == steps
    assert rig.engine.rates == [step / 96 for step in range(steps)]  # the schedule is the budget's
    assert rig.training.control is not None
    assert rig.training.control.has_reached == (target <= 0.7)
    assert rig.memory.num_opened == rig.memory.num_closed


def test_a_target_alone_is_not_looked_for_at_epochs() -> None:
    rig = rig_of(0.9, (0.3, 0.5, 0.7), num_images=73)
    rig.training.pauses = Pauses(at_epochs=True)  # as a saved model asks for them
    assert [point.budget_fraction for point in rig.training.run().curve] == list(LOOKS)


def test_two_looks_at_one_step_are_one_validation() -> None:
    rig = rig_of(0.9, (0.3, 0.7))
    rig.training.curve_fractions = (0.101, 0.102, 0.103, 1.0)  # all at step 10
    assert [point.validation_accuracy for point in rig.training.run().curve] == [0.3] * 3 + [0.7]


def test_a_recipe_that_looks_at_epochs_takes_both_kinds_of_looks() -> None:
    recipe = replace(WATCHING, selection="accuracy", stop_patience=2)
    rig = make_rig("24steps", num_images=73, curve_fractions=(0.25, 0.5, 1.0))  # 8 steps an epoch
    accuracies = {6: 0.3, 8: 0.6, 12: 0.7}
    rig.training.validate = lambda: HandScores(accuracies[len(rig.engine.rates)])
    rig.training.control = control = Control(recipe, nn.Linear(1, 1), 0.65)
    rig.training.pauses = Pauses(at_epochs=True)
    assert rig.training.run().steps == 12
    assert control.has_reached
    assert control.best is not None
    assert control.best.epoch == pytest.approx(113 / 73)
    assert control.best.accuracy == 0.7


def test_patience_may_end_it_before_the_target() -> None:
    control = Control(replace(WATCHING, stop_patience=1), nn.Linear(1, 1), 0.9)
    for epoch, loss in enumerate((1.0, 2.0), start=1):
        control.see(HandScores(0.5, loss))
        control.end_epoch(epoch, HandScores(0.5, loss))
    assert (control.is_over, control.has_reached) == (True, False)


def test_the_state_of_a_reached_target_goes_through_a_checkpoint() -> None:
    control, twin = (Control(WATCHING, nn.Linear(1, 1), 0.5) for _ in range(2))
    control.see(HandScores(0.5))
    twin.load_state(control.state())
    assert (twin.is_over, twin.has_reached) == (True, True)
    older = {key: held for key, held in control.state().items() if key != "has_reached"}
    twin.load_state(older | {"is_over": False})
    assert (twin.is_over, twin.has_reached) == (False, False)


def measured(target: float | None, **changes: Any) -> Findings:  # noqa: ANN401
    spec = replace(SPEC, target=target, **changes)
    findings = Findings()
    run_seed(open_session(spec), spec, findings, silent)
    return findings


SPEC = RunSpec(
    model="v0",
    recipe=replace(WATCHING, batch_size=16),
    budget=Budget(20, "steps"),
    plan=Plan(threads=1),
)


def test_a_reached_target_is_in_the_record() -> None:
    findings = measured(REACHED, is_deterministic=True)
    assert findings.curve is not None
    (look,) = findings.curve
    assert look[3] >= REACHED
    assert value(findings, "time_to_target") == pytest.approx(look[0], abs=1e-6)
    assert value(findings, "time_to_target") == value(findings, "train_time")
    assert value(findings, "steps") == 1  # a hundred looks at twenty steps: one after each
    assert "reached_target" in findings.flags
    assert not {"under_trained", "stopped_early"} & set(findings.flags)


def test_a_miss_trains_the_whole_budget_and_says_so() -> None:
    findings = measured(MISSED)
    assert value(findings, "steps") == 20
    assert "time_to_target" not in findings.measurements
    assert findings.missing["time_to_target"] == "never reached 0.99 on validation"
    assert "reached_target" not in findings.flags


def test_the_budget_caps_a_miss_and_its_overrun_is_known() -> None:
    missed = measured(MISSED, budget=Budget(0.2, "s"))
    assert value(missed, "overrun") == pytest.approx(value(missed, "train_time") - 0.2)
    assert "overrun" not in measured(REACHED, budget=Budget(0.2, "s")).measurements


def test_no_target_leaves_the_record_without_its_words() -> None:
    findings = measured(None)
    assert "time_to_target" not in {*findings.measurements, *findings.missing}
    assert "target" not in SPEC.as_plain()


def test_a_deterministic_run_looks_and_ends_the_same_twice() -> None:
    one, other = (measured(0.12, is_deterministic=True) for _ in range(2))
    assert one.curve is not None
    assert other.curve is not None
    assert [point[1:] for point in one.curve] == [point[1:] for point in other.curve]
    assert one.samples["loss"].tolist() == other.samples["loss"].tolist()
    assert (one.flags, one.confusion) == (other.flags, other.confusion)


@pytest.mark.parametrize("step", slow_but({9}, [3, 9, 17]))
def test_a_killed_training_goes_on_to_the_same_end(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "build_model", build)
    monkeypatch.setattr(Session, "curve_points", lambda *_: TARGET_POINTS[-1])
    evaluate = Session.evaluate

    def reaching(self: Session, model: nn.Module, split: Any, see: Any = None) -> Any:  # noqa: ANN401
        """The seventh look of ten reaches it, whatever the weights are."""
        quality = evaluate(self, model, split, see)
        if split is self.splits.validation and trained_by(model) >= 0.7 * 28:
            return HandScores(0.95)
        return HandScores(0.1) if split is self.splits.validation else quality

    monkeypatch.setattr(Session, "evaluate", reaching)
    spec = replace(spec_of("sgd"), target=0.9)
    whole, found = run(spec, Artifacts(checkpoints=tmp_path / "whole"))
    artifacts = Artifacts(checkpoints=tmp_path / "killed", every=parse_every("1steps"))
    killed_at_step(step, spec, artifacts, monkeypatch)
    weights, again = run(spec, artifacts)
    assert again.conditions["resumed_at_step"] == step
    assert_same(weights, whole)
    assert value(again, "steps") == value(found, "steps") == 20
    assert "reached_target" in again.flags
    ended, once_more = run(spec, artifacts)  # it is over, and stays so
    assert_same(ended, whole)
    assert value(once_more, "steps") == 20


def trained_by(model: nn.Module) -> int:
    """Steps that this model was trained by: BatchNorm counts its batches."""
    (counter,) = (b for name, b in model.named_buffers() if name.endswith("num_batches_tracked"))
    return int(counter)


def test_a_configuration_without_a_target_keeps_its_name() -> None:
    for record in read_records(REPOSITORY / "results" / "tables" / "cpu-default-30s.jsonl"):
        spec = RunSpec(
            model=record.spec["model"], recipe=RECIPES["default"], budget=Budget.parse("30s")
        ).resolved_for("cpu")
        assert spec.config_id == record.config_id
        assert replace(spec, target=0.9).config_id != record.config_id
        assert replace(spec, target=0.9).as_plain()["target"] == 0.9


@pytest.mark.parametrize("target", [0.0, 1.0, 90.0, -0.5, float("nan"), float("inf")])
def test_a_target_that_is_no_fraction_is_refused(target: float) -> None:
    with pytest.raises(UsageError, match=r"out of range; give a fraction such as 0\.90"):
        check_options(Request(models="v0", target=target))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(models="v0", full_train=True), "leave --full-train out"),
        (Request(models="v0", recipe="classic"), "recipe classic keeps none"),
        (Request(models="v0", plan="ladder"), "leave --target out"),
        (
            Request(models="resnet8", recipe="r2_resnet8", protocol="as_published"),
            "by test images, which are its validation images",
        ),
        (
            Request(models="resnet4", recipe="r0_resnet4", protocol="as_published"),
            "take --protocol clean",
        ),
    ],
)
def test_a_target_needs_validation_images_of_its_own(request_: Request, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        check_options(replace(request_, target=0.9))
    assert "\n" not in str(caught.value)


def test_every_reference_recipe_takes_a_target_when_clean() -> None:
    specs = check_options(Request(recipe="published", target=0.9)).specs("cpu")
    assert {spec.target for spec in specs} == {0.9}
