"""Saved models of a run: which there are, how often, and what they are bound to."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import RunSpec, UsageError
from bench.errors import RunError
from bench.keep.checkpoints import path_of
from bench.keep.saved_model import read_saved, read_whole
from bench.spec.artifacts import Artifacts, parse_every
from bench.train import session
from bench.train.session import Session
from fmnist_models.pretrained import Start
from tests.bench.keep.resume_by_hand import killed_at_step, run, spec_of
from tests.bench.run.session_by_hand import open_session

pytestmark = pytest.mark.usefixtures("nets_to_resume")


def test_the_best_weights_stand_beside_the_last(tmp_path: Path) -> None:
    spec, artifacts = spec_of("closed_loop"), Artifacts(checkpoints=tmp_path)
    last, findings = run(spec, artifacts)
    path = path_of(artifacts, spec, "best")
    best = read_saved(path)
    assert best.trained["test_accuracy"] == findings.measurements["test_accuracy"].values[0]
    assert best.trained["epoch"] == findings.conditions["selected"]["epoch"]
    assert read_whole(path)[1] is None
    assert any(not torch.equal(last[name], best.weights[name]) for name in last)
    assert findings.conditions["saved"] == f"{tmp_path.name}/{path.name}"


def test_a_file_of_another_run_is_refused(tmp_path: Path) -> None:
    spec, artifacts = spec_of("sgd"), Artifacts(checkpoints=tmp_path)
    path = path_of(artifacts, spec, "last")
    path.write_bytes(b"no model")
    with pytest.raises(RunError, match="delete it to begin anew"):
        run(spec, artifacts)


@pytest.mark.parametrize("text", ["3parsecs", "100images", "0.5epochs", "2e15flops"])
def test_how_often_to_save_is_checked(text: str) -> None:
    with pytest.raises(UsageError):
        parse_every(text)


@pytest.mark.parametrize("changed", ["data", "start"])
def test_a_training_does_not_go_on_elsewhere(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, artifacts = spec_of("sgd"), Artifacts(checkpoints=tmp_path, every=parse_every("1steps"))
    killed_at_step(5, spec, artifacts, monkeypatch)

    def elsewhere(spec: RunSpec) -> Session:
        opened = open_session(spec)
        if changed == "data":
            opened.splits = replace(opened.splits, data_hash="another")
        return opened

    if changed == "start":
        started = Start(is_pretrained=True)
        monkeypatch.setattr(session, "start_from", lambda *_: started)
    wanted = {"data": "data_hash hash, and here it is another", "start": "pretrained False"}
    with pytest.raises(RunError, match=wanted[changed]):
        run(spec, artifacts, elsewhere)
