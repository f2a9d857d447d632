"""What a configuration starts from, trains of it and looks at: wired through a session."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import Budget, Plan, Recipe, RunSpec
from bench.errors import RunError
from bench.keep.saved_model import saved_model_of, write_saved
from bench.measure.findings import Findings
from bench.run import seed
from bench.run.seed import run_seed
from bench.sweep.child import CheckJob, RequestedTraining, check
from bench.train.session import Session
from bench.train.splits import Splits, parts_of
from data_pipeline import FashionMNIST
from fmnist_models import ModelError, build_model
from tests.bench.run.session_by_hand import SPEC, open_session, silent
from tests.bench.train.training_by_hand import random_split

pytestmark = pytest.mark.usefixtures("small_session")
PUBLISHED = replace(SPEC.recipe, protocol="as_published")
FULL = FashionMNIST(
    train_images=torch.arange(60, dtype=torch.uint8).view(60, 1, 1, 1),
    train_labels=torch.arange(60) % 10,
    test_images=torch.arange(100, 140, dtype=torch.uint8).view(40, 1, 1, 1),
    test_labels=torch.arange(40) % 10,
    data_hash="hash",
)


def images_of(recipe: Recipe) -> tuple[set[int], set[int], set[int]]:
    """The pixels, which name the images, of the training, validation and test part."""
    sets: list[set[int]] = []
    for part in parts_of(FULL, recipe):
        if part is None:
            sets.append(set())
            continue
        chosen = part.images if part.indices is None else part.images[part.indices]
        sets.append(set(chosen.flatten().tolist()))
    train, validation, test = sets
    return train, validation, test


TRAIN, TEST = set(range(60)), set(range(100, 140))


def test_a_clean_split_takes_validation_from_training_alone() -> None:
    train, validation, test = images_of(replace(SPEC.recipe, validation_fraction=0.1))
    assert (len(train), len(validation), test) == (50, 10, TEST)  # one of six a class, rounded
    assert train | validation == TRAIN
    assert not train & validation


def test_published_splits_are_those_of_the_projects() -> None:
    train, validation, test = images_of(replace(PUBLISHED, split="test"))
    assert (train, validation, test) == (TRAIN, TEST, TEST)
    train, validation, test = images_of(replace(PUBLISHED, split="half_test"))
    assert (train, len(validation), len(test)) == (TRAIN, 20, 20)
    assert validation | test == TEST
    swapped = replace(PUBLISHED, split="swapped", validation_fraction=0.25)
    train, validation, test = images_of(swapped)
    assert (len(train), len(validation), test) == (30, 10, TRAIN)
    assert train | validation == TEST


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("train", "test"),
        ("test", "test, selected on"),
        ("half_test", "half of test"),
        ("swapped", "train (files swapped)"),
    ],
)
def test_a_record_says_which_images_were_scored(split: str, words: str) -> None:
    spec = replace(SPEC, recipe=replace(PUBLISHED, split=split))
    assert spec.as_plain()["evaluation_split"] == words


def saved_v0(folder: Path) -> tuple[Path, torch.nn.Module]:
    torch.manual_seed(123)
    model = build_model("v0")
    path = folder / "start.pt"
    write_saved(path, saved_model_of(model, name="v0", recipe=SPEC.recipe, trained={}))
    return path, model


def test_every_seed_starts_from_the_file_and_the_record_says_so(tmp_path: Path) -> None:
    path, model = saved_v0(tmp_path)
    spec = replace(SPEC, recipe=replace(SPEC.recipe, weights=str(path)))
    opened, findings = open_session(spec), Findings()
    for number in (0, 1):
        started = dict(opened.model_for(number).named_parameters())
        for name, parameter in model.named_parameters():
            assert torch.equal(started[name], parameter)
    run_seed(opened, spec, findings, silent)
    assert findings.conditions["pretrained"] is True
    assert "not_pretrained" not in findings.flags


def test_without_a_network_imagenet_is_not_pretrained_and_flagged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fmnist_models import pretrained

    monkeypatch.setattr(pretrained, "fetch_imagenet", lambda _name: "no network")
    spec = replace(SPEC, recipe=replace(SPEC.recipe, weights="imagenet"))
    findings = Findings()
    run_seed(open_session(spec), spec, findings, silent)
    assert findings.conditions["pretrained"] is False
    assert "no network" in findings.conditions["weights_note"]
    assert "not_pretrained" in findings.flags


def test_a_run_that_fails_in_its_warm_up_still_says_what_it_started_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(seed, "warm_engine", fail)
    spec = replace(SPEC, recipe=replace(SPEC.recipe, weights=str(saved_v0(tmp_path)[0])))
    findings = Findings()
    with pytest.raises(MemoryError):
        run_seed(open_session(spec), spec, findings, silent)
    assert findings.conditions["pretrained"] is True


@pytest.mark.parametrize("held", ["update", "eval"])
def test_frozen_parts_do_not_move_and_their_batchnorm_is_held_where_asked(held: str) -> None:
    recipe = replace(SPEC.recipe, trainable="head", frozen_batchnorm=held, weight_decay=0.1)
    spec = RunSpec(model="resnet8", recipe=recipe, budget=Budget(3, "steps"), plan=Plan(threads=1))
    opened, findings = open_session(spec), Findings()
    model = opened.model_for(0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    run_seed(opened, spec, findings, silent)
    assert findings.measurements["num_trainable_params"].values == (650.0,)
    assert findings.measurements["num_params"].values == (77_754.0,)
    moved = {n for n, tensor in model.state_dict().items() if not torch.equal(tensor, before[n])}
    buffers = {name for name, _ in model.named_buffers()}
    assert moved == {"head.weight", "head.bias"} | (set() if held == "eval" else buffers)


def session_of(spec: RunSpec, num_images: int, size: int) -> Session:
    split = random_split(num_images, size=size)
    return Session(spec, torch.device("cpu"), Splits(split, None, split, "hash"), spec.plan)


def test_a_last_batch_of_one_image_is_refused_where_batchnorm_cannot_train_on_it() -> None:
    recipe = replace(SPEC.recipe, batch_size=16)
    spec = RunSpec(model="resnet18", recipe=recipe, budget=Budget(1, "steps"), plan=Plan())
    with pytest.raises(RunError, match=r"a batch of one image .* set drop_last=true"):
        session_of(spec, 17, 28).model_for(0)
    session_of(replace(spec, recipe=replace(recipe, drop_last=True)), 17, 28).model_for(0)


def test_weights_of_another_model_are_refused_before_the_sweep(tmp_path: Path) -> None:
    path, _ = saved_v0(tmp_path)

    def job(model: str) -> CheckJob:
        recipe = replace(SPEC.recipe, weights=str(path))
        return CheckJob("cpu", "hash", (RequestedTraining(model, recipe),))

    assert check(job("v0"))["device"] == "cpu"
    with pytest.raises(ModelError, match="is a checkpoint of v0, not of v1"):
        check(job("v1"))


@pytest.mark.parametrize(("model", "size"), [("v0", 16), ("alexnet", 16), ("fashion_cnn", 96)])
def test_a_size_that_a_model_cannot_take_is_unsupported(model: str, size: int) -> None:
    recipe = replace(SPEC.recipe, input_size=size)
    spec = RunSpec(model=model, recipe=recipe, budget=Budget(1, "steps"), plan=Plan())
    with pytest.raises(RunError, match=f"{model} does not take {size}x{size} images") as caught:
        session_of(spec, 32, size).model_for(0)
    assert caught.value.status == "unsupported"
    assert model != "v0" or "shapes cannot be multiplied" in caught.value.reason
