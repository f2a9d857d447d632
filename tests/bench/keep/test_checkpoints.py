"""Saved models of a run: which, how often; one that cannot be saved ends no training."""

import errno
import os
from itertools import count
from pathlib import Path

import pytest
import torch

from bench import UsageError
from bench.keep import saved_model
from bench.keep.checkpoints import path_of
from bench.keep.saved_model import read_saved, read_whole
from bench.spec.artifacts import Artifacts, parse_every
from data_pipeline.sources.files import write_file
from tests.bench.keep.resume_by_hand import assert_same, found, killed_at_step, run, saving, spec_of

SPEC = spec_of("closed_loop")
pytestmark = pytest.mark.usefixtures("nets_to_resume")


def test_the_best_weights_stand_beside_the_last(tmp_path: Path) -> None:
    artifacts = saving(tmp_path)
    last, findings = run(SPEC, artifacts)
    path = path_of(artifacts, SPEC, "best")
    best = read_saved(path)
    assert best.trained["test_accuracy"] == findings.measurements["test_accuracy"].values[0]
    assert best.trained["epoch"] == findings.conditions["selected"]["epoch"]
    assert read_whole(path)[1] is None
    assert any(not torch.equal(last[name], best.weights[name]) for name in last)
    assert findings.conditions["saved"] == f"{tmp_path.name}/{path.name}"


@pytest.mark.parametrize("text", ["3parsecs", "100images", "0.5epochs", "2e15flops"])
def test_how_often_to_save_is_checked(text: str) -> None:
    with pytest.raises(UsageError):
        parse_every(text)


def fill_after(num_files: int, monkeypatch: pytest.MonkeyPatch, until: int = 10**9) -> None:
    """Let the disk be full once so many files are written, until it was asked so often."""
    asked = count()

    def write(path: Path, content: bytes) -> None:
        if num_files <= next(asked) < until:
            path.with_name("half").write_bytes(content[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_file(path, content)

    monkeypatch.setattr(saved_model, "write_file", write)


def saved_steps(artifacts: Artifacts) -> int:
    return int(read_saved(path_of(artifacts, SPEC, "last")).trained["steps"])


def test_a_training_on_a_full_disk_goes_on_and_is_flagged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, artifacts = found(SPEC, Artifacts()), saving(tmp_path, "3steps")
    fill_after(2, monkeypatch)
    findings = found(SPEC, artifacts)
    assert findings.flags.count("save_failed") == 1
    assert findings.conditions["save"] == "No space left on device"
    assert "saved" not in findings.conditions
    assert findings.measurements["test_loss"] == whole.measurements["test_loss"]
    assert saved_steps(artifacts) in {3, 6}  # the last that was whole


def test_where_there_is_room_again_the_model_is_saved_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = saving(tmp_path, "3steps")
    fill_after(1, monkeypatch, until=3)
    findings = found(SPEC, artifacts)
    assert "save_failed" in findings.flags
    assert findings.conditions["saved"].endswith("-best.pt")
    assert saved_steps(artifacts) == findings.measurements["steps"].values[0]


def test_best_weights_that_were_not_saved_are_saved_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = saving(tmp_path, "1epochs")
    fill_after(1, monkeypatch, until=2)  # the last is written, the best is not
    killed_at_step(15, SPEC, artifacts, monkeypatch)  # after two epochs
    assert path_of(artifacts, SPEC, "best").exists()


def test_what_a_killed_try_left_half_written_goes_when_the_run_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = run(SPEC, saving(tmp_path / "whole"))
    artifacts = saving(tmp_path / "killed", "3steps")
    killed_at_step(8, SPEC, artifacts, monkeypatch)
    path = path_of(artifacts, SPEC, "last")
    mine, other = path.with_name(f".{path.name}.00ff.part"), path.with_name(".other.00ff.part")
    for part in (mine, other):
        part.write_bytes(b"half")
    assert_same(run(SPEC, artifacts)[0], whole)
    assert not mine.exists()
    assert other.exists()
