"""Small trainings that are killed and gone on with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import Budget, Plan, RunSpec
from bench.keep.checkpoints import path_of
from bench.keep.saved_model import read_saved
from bench.measure.findings import Findings
from bench.run.seed import run_seed
from bench.spec.artifacts import Artifacts, parse_every
from bench.train import training
from bench.train.session import Session
from bench.train.training import Training
from tests.bench.run.session_by_hand import SPEC, open_session, silent
from tests.bench.train.training_by_hand import small_net

AUGMENT = ("flip", "shift2", "cutout8")
SGD = replace(SPEC.recipe, augment=AUGMENT, momentum=0.9, validation_fraction=0.1)
CLOSED_LOOP = replace(
    SGD,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="plateau",
    schedule_patience=0,
    stop_patience=3,
    selection="loss",
)
CYCLIC = replace(
    SGD,
    schedule="triangular2",
    epochs=4,
    schedule_epochs=1,
    base_learning_rate=0.01,
    base_momentum=0.5,
    order="dataloader",
)
RECIPES = {
    "sgd": SGD,
    "closed_loop": CLOSED_LOOP,
    "cyclic": CYCLIC,
    "adamw": replace(SGD, optimizer="adamw", momentum=0.0, schedule="cosine"),
    "rmsprop": replace(SGD, optimizer="rmsprop", learning_rate=1e-3),
    "muon": replace(SGD, optimizer="muon", momentum=0.0, learning_rate=1e-2),
    "conv_head": replace(SGD, optimizer="muon", momentum=0.0, learning_rate=1e-2),
    "head": replace(SGD, trainable="head", frozen_batchnorm="eval"),
}
MODELS = {"conv_head": "net_with_conv_head"}  # recipes with a model of their own


class Killed(Exception):  # noqa: N818 - it is what happened
    """Stands for SIGKILL: nothing that a run does at its end may happen."""


def net_to_resume() -> torch.nn.Module:
    """Convolutions, BatchNorm and dropout on 28x28 images."""
    return small_net(size=28, dropout=0.3, seed=torch.initial_seed())


def net_with_conv_head() -> torch.nn.Module:
    """Its last layer has strides that the memory format decides."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, stride=4),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 8, 3),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 10, 3),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
    )


BUILDERS = {"net_to_resume": net_to_resume, "net_with_conv_head": net_with_conv_head}


def build(name: str, _input_size: int | None = None) -> torch.nn.Module:
    """One of these nets; they are not registered, so that no other test meets them."""
    return BUILDERS[name]()


Opener = Callable[[RunSpec], Session]


def spec_of(recipe: str) -> RunSpec:
    return RunSpec(
        model=MODELS.get(recipe, "net_to_resume"),
        recipe=RECIPES[recipe],
        budget=Budget(28, "steps"),  # 7 an epoch of 100 images, the last of them ragged
        plan=Plan(memory_format="channels_last", threads=1),
        seed=3,
    )


def saving(folder: Path, every: str = "1epochs") -> Artifacts:
    return Artifacts(checkpoints=folder, every=parse_every(every))


def found(spec: RunSpec, artifacts: Artifacts, opener: Opener = open_session) -> Findings:
    """What a run finds."""
    findings = Findings()
    run_seed(opener(spec), spec, findings, silent, artifacts)
    return findings


def run(
    spec: RunSpec, artifacts: Artifacts, opener: Opener = open_session
) -> tuple[dict[str, torch.Tensor], Findings]:
    """The last weights of a run, and what it finds."""
    findings = found(spec, artifacts, opener)
    return dict(read_saved(path_of(artifacts, spec, "last")).weights), findings


def killed_at_step(
    step: int,
    spec: RunSpec,
    artifacts: Artifacts,
    monkeypatch: pytest.MonkeyPatch,
    opener: Opener = open_session,
) -> None:
    """Runs until so many steps are done, a step a chunk."""
    run_chunk = Training._run_chunk

    def run_or_die(self: Training, fractions: Sequence[float]) -> None:
        if self._steps_given >= step:
            raise Killed
        run_chunk(self, fractions)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_run_chunk", run_or_die)
        patch.setattr(training, "chunk_steps", lambda _step_s: 1)
        with pytest.raises(Killed):
            run(spec, artifacts, opener)


def assert_same(ones: Mapping[str, torch.Tensor], others: Mapping[str, torch.Tensor]) -> None:
    assert ones.keys() == others.keys()
    for name, tensor in ones.items():
        assert torch.equal(tensor, others[name]), name


def whole_and_resumed(
    spec: RunSpec,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *steps: int,
    every: str = "3steps",
    opener: Opener = open_session,
) -> tuple[Findings, Findings]:
    """A training left alone and one killed at these steps; they end with the same weights."""
    weights, whole = run(spec, saving(folder / "whole"), opener)
    artifacts = saving(folder / "killed", every)
    for step in steps:
        killed_at_step(step, spec, artifacts, monkeypatch, opener)
    again, resumed = run(spec, artifacts, opener)
    assert_same(again, weights)
    return whole, resumed
