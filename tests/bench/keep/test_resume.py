"""A training that was killed and gone on with ends with the same weights, bit for bit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import Plan, RunSpec
from bench.errors import RunError
from bench.keep.checkpoints import path_of
from bench.keep.saved_model import read_saved
from bench.measure.findings import Findings
from bench.run.seed import run_seed
from bench.spec.artifacts import Artifacts, parse_every
from bench.train.session import Session
from bench.train.splits import Splits
from data_pipeline import ResidentSplit
from tests.bench.keep.resume_by_hand import RECIPES, assert_same, killed_at_step, run, spec_of
from tests.bench.run.session_by_hand import open_session, silent
from tests.bench.train.training_by_hand import random_split
from tests.tiers import slow_but

pytestmark = pytest.mark.usefixtures("nets_to_resume")


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_training_killed_again_and_again_ends_with_the_same_weights(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(recipe)
    whole, found = run(spec, Artifacts(checkpoints=tmp_path / "whole"))
    artifacts = Artifacts(checkpoints=tmp_path / "killed", every=parse_every("3steps"))
    for step in (2, 8, 15):  # before the first checkpoint, beside one, in the middle of an epoch
        killed_at_step(step, spec, artifacts, monkeypatch)
    weights, again = run(spec, artifacts)
    assert again.conditions["resumed_at_step"] == 15
    assert_same(weights, whole)
    for name in ("test_accuracy", "test_loss", "train_loss", "steps", "images_seen"):
        assert again.measurements[name].values == found.measurements[name].values
    assert again.samples["loss"].tolist() == found.samples["loss"].tolist()
    assert again.samples["learning_rate"].tolist() == found.samples["learning_rate"].tolist()


@pytest.mark.parametrize("step", slow_but({16}, range(1, 28, 3)))
def test_killed_at_any_step_with_augmentation_and_dropout(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of("sgd")
    whole, _ = run(spec, Artifacts(checkpoints=tmp_path / "whole"))
    artifacts = Artifacts(checkpoints=tmp_path / "killed", every=parse_every("1steps"))
    killed_at_step(step, spec, artifacts, monkeypatch)
    assert_same(run(spec, artifacts)[0], whole)


@pytest.mark.parametrize(
    "plan",
    ["dataloader,threads:1", pytest.param("step:4,threads:1", marks=pytest.mark.slow)],
)
def test_other_plans_go_on_bit_for_bit_too(
    plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(spec_of("adamw"), plan=Plan.parse(plan))
    whole, _ = run(spec, Artifacts(checkpoints=tmp_path / "whole"))
    artifacts = Artifacts(checkpoints=tmp_path / "killed", every=parse_every("1epochs"))
    killed_at_step(16, spec, artifacts, monkeypatch)
    weights, again = run(spec, artifacts)
    assert again.conditions["resumed_at_step"] == 14
    assert_same(weights, whole)


def test_a_later_seed_of_a_session_goes_on_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of("closed_loop")
    whole, _ = run(spec, Artifacts(checkpoints=tmp_path / "whole"))
    artifacts = Artifacts(checkpoints=tmp_path / "killed", every=parse_every("3steps"))
    killed_at_step(17, spec, artifacts, monkeypatch)
    opened = open_session(spec)
    run_seed(opened, replace(spec, seed=8), Findings(), silent, artifacts)
    weights, _ = run(spec, artifacts, lambda _spec: opened)
    assert_same(weights, whole)


def test_the_points_of_the_curve_stay_those_of_the_first_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, artifacts = spec_of("sgd"), Artifacts(checkpoints=tmp_path, every=parse_every("1steps"))
    monkeypatch.setattr(Session, "curve_points", lambda *_: (0.5, 1.0))
    killed_at_step(20, spec, artifacts, monkeypatch)
    monkeypatch.setattr(Session, "curve_points", lambda *_: (0.1, 0.2, 0.5, 0.9, 1.0))
    _, findings = run(spec, artifacts)
    assert findings.curve is not None
    assert [point[1] for point in findings.curve] == [0.5, 1.0]


def test_a_run_gone_on_with_after_its_last_step_keeps_its_peak(tmp_path: Path) -> None:
    spec, artifacts = spec_of("sgd"), Artifacts(checkpoints=tmp_path)
    weights, found = run(spec, artifacts)
    again, known = run(spec, artifacts)
    assert_same(again, weights)
    assert known.measurements["peak_memory"].values == found.measurements["peak_memory"].values


def test_saving_changes_nothing(tmp_path: Path) -> None:
    spec = spec_of("closed_loop")
    often = Artifacts(checkpoints=tmp_path / "often", every=parse_every("1steps"))
    assert_same(run(spec, often)[0], run(spec, Artifacts(checkpoints=tmp_path / "once"))[0])


def test_a_compiled_plan_goes_on_with_its_own_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(spec_of("adamw"), plan=None)
    artifacts = Artifacts(checkpoints=tmp_path, every=parse_every("2steps"))
    killed_at_step(9, spec, artifacts, monkeypatch)
    path = path_of(artifacts, spec, "last")
    saved = read_saved(path)
    opened = Session(spec, torch.device("cpu"), open_session(spec).splits)
    run_seed(opened, spec, Findings(), silent, artifacts)
    assert str(opened.plan) == saved.trained["plan"]
    assert opened.tried == []


@pytest.mark.parametrize(
    ("part", "key", "amount"),
    [
        ("pacer", "spent", float("nan")),
        *(
            ("meters", "seconds", amount)
            for amount in (float("nan"), float("inf"), -1.0, True, "1")
        ),
    ],
)
def test_an_amount_that_is_none_is_not_gone_on_with(
    part: str, key: str, amount: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, artifacts = spec_of("sgd"), Artifacts(checkpoints=tmp_path, every=parse_every("3steps"))
    killed_at_step(5, spec, artifacts, monkeypatch)
    path = path_of(artifacts, spec, "last")
    content = torch.load(path, weights_only=True)
    content["resume"][part][key] = amount
    torch.save(content, path)
    with pytest.raises(RunError, match=r"cannot be gone on from.* is no amount.*delete it"):
        run(spec, artifacts)


@pytest.mark.gpu
def test_a_training_on_a_gpu_goes_on_with_its_random_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(spec_of("adamw"), plan=Plan(memory_format="channels_last"))
    device = torch.device("cuda")
    train, validation, test = (
        ResidentSplit(split.images.to(device), split.labels.to(device))
        for split in (random_split(count, size=28, seed=count) for count in (100, 64, 80))
    )
    splits = Splits(train, validation, test, "hash")

    def on_gpu(spec: RunSpec) -> Session:
        return Session(spec, device, splits, spec.plan)

    whole, _ = run(spec, Artifacts(checkpoints=tmp_path / "whole"), on_gpu)
    artifacts = Artifacts(checkpoints=tmp_path / "killed", every=parse_every("3steps"))
    killed_at_step(11, spec, artifacts, monkeypatch, on_gpu)
    weights, again = run(spec, artifacts, on_gpu)
    assert again.conditions["resumed_at_step"] == 9
    for name, tensor in weights.items():  # another dropout mask would be off by far more
        torch.testing.assert_close(tensor, whole[name], rtol=1e-3, atol=1e-4)
