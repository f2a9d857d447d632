"""A model that cannot be saved ends no training, and harms no model saved before."""

import errno
import os
from itertools import count
from pathlib import Path

import pytest

from bench.keep import saved_model
from bench.keep.checkpoints import path_of
from bench.keep.saved_model import read_saved
from bench.measure.findings import Findings
from bench.run.seed import run_seed
from bench.spec.artifacts import Artifacts, parse_every
from data_pipeline.sources.files import write_file
from tests.bench.keep.resume_by_hand import assert_same, killed_at_step, run, spec_of
from tests.bench.run.session_by_hand import open_session, silent

SPEC = spec_of("closed_loop")


pytestmark = pytest.mark.usefixtures("nets_to_resume")


def fill_after(num_files: int, monkeypatch: pytest.MonkeyPatch, until: int = 10**9) -> None:
    """Lets the disk be full once so many files are written, until it was asked so often."""
    asked = count()

    def write(path: Path, content: bytes) -> None:
        if num_files <= next(asked) < until:
            path.with_name("half").write_bytes(content[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_file(path, content)

    monkeypatch.setattr(saved_model, "write_file", write)


def saved_steps(artifacts: Artifacts) -> int:
    path = path_of(artifacts, SPEC, "last")
    return int(read_saved(path).trained["steps"])


def test_a_training_on_a_full_disk_goes_on_and_is_flagged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = run(SPEC, Artifacts(checkpoints=tmp_path / "whole"))
    artifacts = Artifacts(checkpoints=tmp_path / "full", every=parse_every("3steps"))
    fill_after(2, monkeypatch)
    findings = Findings()
    run_seed(open_session(SPEC), SPEC, findings, silent, artifacts)
    assert findings.flags.count("save_failed") == 1
    assert findings.conditions["save"] == "No space left on device"
    assert "saved" not in findings.conditions
    assert findings.measurements["test_loss"] == found.measurements["test_loss"]
    assert saved_steps(artifacts) in {3, 6}  # the last that was whole


def test_where_there_is_room_again_the_model_is_saved_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = Artifacts(checkpoints=tmp_path, every=parse_every("3steps"))
    fill_after(1, monkeypatch, until=3)
    findings = Findings()
    run_seed(open_session(SPEC), SPEC, findings, silent, artifacts)
    assert "save_failed" in findings.flags
    assert findings.conditions["saved"].endswith("-best.pt")
    assert saved_steps(artifacts) == findings.measurements["steps"].values[0]


def test_best_weights_that_were_not_saved_are_saved_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = Artifacts(checkpoints=tmp_path, every=parse_every("1epochs"))
    fill_after(1, monkeypatch, until=2)  # the last is written, the best is not
    killed_at_step(15, SPEC, artifacts, monkeypatch)  # after two epochs
    path = path_of(artifacts, SPEC, "best")
    assert path.exists()


def test_what_a_killed_try_left_half_written_goes_when_the_run_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = run(SPEC, Artifacts(checkpoints=tmp_path / "whole"))
    artifacts = Artifacts(checkpoints=tmp_path / "killed", every=parse_every("3steps"))
    killed_at_step(8, SPEC, artifacts, monkeypatch)
    path = path_of(artifacts, SPEC, "last")
    mine, other = path.with_name(f".{path.name}.00ff.part"), path.with_name(".other.00ff.part")
    for part in (mine, other):
        part.write_bytes(b"half")
    assert_same(run(SPEC, artifacts)[0], whole)
    assert not mine.exists()
    assert other.exists()
