"""A training that was killed and gone on with ends with the same weights, bit for bit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import Plan, RunSpec
from bench.errors import RunError
from bench.keep.checkpoints import path_of
from bench.keep.saved_model import read_saved
from bench.train import session
from bench.train.session import Session
from bench.train.splits import Splits
from data_pipeline import ResidentSplit
from fmnist_models.pretrained import Start
from tests.bench.keep.resume_by_hand import (
    RECIPES,
    assert_same,
    found,
    killed_at_step,
    run,
    saving,
    spec_of,
    whole_and_resumed,
)
from tests.bench.run.session_by_hand import open_session
from tests.bench.train.training_by_hand import random_split
from tests.tiers import slow_but

pytestmark = pytest.mark.usefixtures("nets_to_resume")
SGD = spec_of("sgd")


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_training_killed_again_and_again_ends_with_the_same_weights(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # before the first checkpoint, beside one, in the middle of an epoch
    whole, again = whole_and_resumed(spec_of(recipe), tmp_path, monkeypatch, 2, 8, 15)
    assert again.conditions["resumed_at_step"] == 15
    for name in ("test_accuracy", "test_loss", "train_loss", "steps", "images_seen"):
        assert again.measurements[name].values == whole.measurements[name].values
    for name in ("loss", "learning_rate"):
        assert again.samples[name].tolist() == whole.samples[name].tolist()


@pytest.mark.parametrize("step", slow_but({16}, range(1, 28, 3)))
def test_killed_at_any_step_with_augmentation_and_dropout(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_and_resumed(SGD, tmp_path, monkeypatch, step, every="1steps")


@pytest.mark.parametrize(
    "plan",
    ["dataloader,threads:1", pytest.param("step:4,threads:1", marks=pytest.mark.slow)],
)
def test_other_plans_go_on_bit_for_bit_too(
    plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(spec_of("adamw"), plan=Plan.parse(plan))
    _, again = whole_and_resumed(spec, tmp_path, monkeypatch, 16, every="1epochs")
    assert again.conditions["resumed_at_step"] == 14


def test_a_later_seed_of_a_session_goes_on_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, artifacts = spec_of("closed_loop"), saving(tmp_path / "killed", "3steps")
    whole, _ = run(spec, saving(tmp_path / "whole"))
    killed_at_step(17, spec, artifacts, monkeypatch)
    opened = open_session(spec)
    found(replace(spec, seed=8), artifacts, lambda _spec: opened)
    assert_same(run(spec, artifacts, lambda _spec: opened)[0], whole)


def test_the_points_of_the_curve_stay_those_of_the_first_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = saving(tmp_path, "1steps")
    monkeypatch.setattr(Session, "curve_points", lambda *_: (0.5, 1.0))
    killed_at_step(20, SGD, artifacts, monkeypatch)
    monkeypatch.setattr(Session, "curve_points", lambda *_: (0.1, 0.2, 0.5, 0.9, 1.0))
    curve = found(SGD, artifacts).curve
    assert curve is not None
    assert [point[1] for point in curve] == [0.5, 1.0]


def test_a_run_gone_on_with_after_its_last_step_keeps_its_peak(tmp_path: Path) -> None:
    (weights, first), (again, known) = (run(SGD, saving(tmp_path)) for _ in "12")
    assert_same(again, weights)
    assert known.measurements["peak_memory"].values == first.measurements["peak_memory"].values


def test_a_compiled_plan_goes_on_with_its_own_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, artifacts = replace(spec_of("adamw"), plan=None), saving(tmp_path, "2steps")
    killed_at_step(9, spec, artifacts, monkeypatch)
    saved = read_saved(path_of(artifacts, spec, "last"))
    opened = Session(spec, torch.device("cpu"), open_session(spec).splits)
    found(spec, artifacts, lambda _spec: opened)
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
    artifacts = saving(tmp_path, "3steps")
    killed_at_step(5, SGD, artifacts, monkeypatch)
    path = path_of(artifacts, SGD, "last")
    content = torch.load(path, weights_only=True)
    content["resume"][part][key] = amount
    torch.save(content, path)
    with pytest.raises(RunError, match=r"cannot be gone on from.* is no amount.*delete it"):
        run(SGD, artifacts)


def test_a_file_of_another_run_is_refused(tmp_path: Path) -> None:
    artifacts = saving(tmp_path)
    path_of(artifacts, SGD, "last").write_bytes(b"no model")
    with pytest.raises(RunError, match="delete it to begin anew"):
        run(SGD, artifacts)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [("data", "data_hash hash, and here it is another"), ("start", "pretrained False")],
)
def test_a_training_does_not_go_on_elsewhere(
    changed: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = saving(tmp_path, "1steps")
    killed_at_step(5, SGD, artifacts, monkeypatch)

    def elsewhere(spec: RunSpec) -> Session:
        opened = open_session(spec)
        if changed == "data":
            opened.splits = replace(opened.splits, data_hash="another")
        return opened

    if changed == "start":
        started = Start(is_pretrained=True)
        monkeypatch.setattr(session, "start_from", lambda *_: started)
    with pytest.raises(RunError, match=complaint):
        run(SGD, artifacts, elsewhere)


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

    whole, _ = run(spec, saving(tmp_path / "whole"), on_gpu)
    artifacts = saving(tmp_path / "killed", "3steps")
    killed_at_step(11, spec, artifacts, monkeypatch, on_gpu)
    weights, again = run(spec, artifacts, on_gpu)
    assert again.conditions["resumed_at_step"] == 9
    for name, tensor in weights.items():  # another dropout mask would be off by far more
        torch.testing.assert_close(tensor, whole[name], rtol=1e-3, atol=1e-4)
