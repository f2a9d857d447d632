"""Nets whose buffers come, go and grow: seeds, best weights and saved models are theirs."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import Plan, RunSpec
from bench.measure.findings import Findings
from bench.run.seed import run_seed
from bench.spec.artifacts import NOTHING, Artifacts
from bench.train.session import Session
from bench.train.splits import Splits
from tests.bench.keep.resume_by_hand import SGD, saving, whole_and_resumed
from tests.bench.run.session_by_hand import SPEC, silent
from tests.bench.train.training_by_hand import random_split
from tests.fmnist_models import nets_by_hand

FILE = Path(nets_by_hand.__file__)
NETS = ("Buffers", "KeepsFeatures", "Locked", "Attributes", "Schedule", "Replaces")

pytestmark = pytest.mark.usefixtures("one_thread", "quick_collections")


def spec_of(net: str, selection: str = "last") -> RunSpec:
    recipe = replace(SGD, augment=("flip",), selection=selection)
    return replace(SPEC, model=f"{FILE}:{net}", recipe=recipe, plan=Plan(threads=1))


def opened(spec: RunSpec) -> Session:
    train, validation, test = (random_split(count, seed=count) for count in (100, 64, 80))
    splits = Splits(train, validation, test, "hash")
    return Session(spec, torch.device("cpu"), splits, spec.plan)


def ran(session: Session, spec: RunSpec, artifacts: Artifacts = NOTHING) -> Findings:
    findings = Findings()
    run_seed(session, spec, findings, silent, artifacts)
    return findings


@pytest.mark.parametrize("net", NETS)
def test_a_seed_after_another_is_that_seed_alone(net: str) -> None:
    spec, second = spec_of(net), replace(spec_of(net), seed=1)
    session = opened(spec)
    ran(session, spec)
    after, alone = ran(session, second), ran(opened(spec), second)
    assert (after.samples["loss"] == alone.samples["loss"]).all()
    assert after.measurements["test_loss"].values == alone.measurements["test_loss"].values


@pytest.mark.parametrize("net", ["Buffers", "KeepsFeatures", "Locked", "Replaces"])
def test_a_killed_training_goes_on_as_if_it_never_was(
    net: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, resumed = whole_and_resumed(spec_of(net), tmp_path, monkeypatch, 8, opener=opened)
    assert (whole.samples["loss"] == resumed.samples["loss"]).all()
    assert "save_failed" not in resumed.flags


def test_the_best_weights_of_a_net_with_growing_buffers_are_used(tmp_path: Path) -> None:
    findings = ran(opened(spec_of("Buffers")), spec_of("Buffers", "loss"), saving(tmp_path))
    assert findings.conditions["selected"]
    assert findings.conditions["saved"].endswith("-best.pt")


def test_a_state_that_is_no_tensor_is_a_reason_and_no_end(tmp_path: Path) -> None:
    spec = spec_of("WithState")
    findings = ran(opened(spec), spec, saving(tmp_path))
    assert "save_failed" in findings.flags
    assert findings.conditions["save"] == "the state dict holds dict; only tensors are saved"
    assert findings.measurements["test_accuracy"].values[0] >= 0
