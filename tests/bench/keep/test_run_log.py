"""What a run tells TensorBoard: every step, each validation, nothing on the clock."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import Budget
from bench.keep import tensorboard
from bench.keep.tensorboard import folder_name
from bench.measure.findings import Findings
from bench.run.seed import run_seed
from bench.spec.artifacts import Artifacts
from bench.train import session
from tests.bench.run.session_by_hand import SPEC, open_session, silent

RUN = replace(
    SPEC,
    recipe=replace(SPEC.recipe, selection="accuracy", validation_fraction=0.1),
    budget=Budget(17, "steps"),  # 7 an epoch
)


@pytest.fixture(autouse=True)
def _one_thread(
    one_thread: None, quick_collections: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(session, "usable_cores", lambda: 1)
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path / "cache"))


def test_losses_scores_and_throughput_lie_in_the_event_files(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    findings = Findings()
    run_seed(open_session(RUN), RUN, findings, silent, Artifacts(tensorboard=tmp_path / "logs"))
    events = EventAccumulator(str(tmp_path / "logs" / folder_name(RUN)))
    events.Reload()
    losses = [event.value for event in events.Scalars("train/loss")]
    assert losses == pytest.approx(findings.samples["loss"].tolist(), rel=1e-6)
    assert [event.step for event in events.Scalars("train/loss")] == list(range(1, 18))
    rates = [event.value for event in events.Scalars("train/learning_rate")]
    assert rates == pytest.approx(findings.samples["learning_rate"].tolist())
    accuracies = [event.value for event in events.Scalars("validation/accuracy")]
    assert accuracies == pytest.approx(findings.samples["curve"][:, 3].tolist())
    assert [event.step for event in events.Scalars("validation/accuracy")] == [7, 14, 17]
    assert len(events.Scalars("train/images_per_s")) == 3


def test_logging_changes_no_weights(tmp_path: Path) -> None:
    without, within = Findings(), Findings()
    run_seed(open_session(RUN), RUN, without, silent)
    run_seed(open_session(RUN), RUN, within, silent, Artifacts(tensorboard=tmp_path))
    assert torch.equal(
        torch.from_numpy(without.samples["loss"]), torch.from_numpy(within.samples["loss"])
    )
    assert within.measurements["test_loss"].values == without.measurements["test_loss"].values


def test_a_log_that_cannot_be_written_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(27, "File too large")

    monkeypatch.setattr(tensorboard, "add_steps", full)
    findings = Findings()
    run_seed(open_session(RUN), RUN, findings, silent, Artifacts(tensorboard=tmp_path))
    assert "tensorboard_failed" in findings.flags
    assert findings.conditions["tensorboard"] == "File too large"
    assert findings.measurements["steps"].values == (17.0,)


def test_the_folder_of_a_run_has_a_name_that_every_file_system_takes() -> None:
    spec = replace(RUN, model="torchvision:" + "long" * 90)
    assert len(folder_name(spec)) < 200
    assert folder_name(spec) != folder_name(replace(spec, seed=1))
