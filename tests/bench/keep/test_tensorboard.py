"""Logs for TensorBoard, read back by TensorBoard's own reader: nothing of them on the clock."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from bench import Budget
from bench.keep import tensorboard
from bench.keep.tensorboard import MAX_POINTS, add_steps, begin_log, folder_name, image_strip
from bench.measure.findings import Findings
from bench.run.seed import run_seed
from bench.spec.artifacts import NOTHING, Artifacts
from bench.train import session
from tests.bench.run.session_by_hand import SPEC, open_session, silent
from tests.bench.train.training_by_hand import flat_state, small_net
from tests.fmnist_models.nets_by_hand import KeepsFeatures, Locked, spectral

IMAGES = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = ["Bag", "Coat", "Shirt"]

RUN = replace(
    SPEC,
    recipe=replace(SPEC.recipe, selection="accuracy", validation_fraction=0.1),
    budget=Budget(17, "steps"),  # 7 an epoch
)


@pytest.fixture(autouse=True)
def _quiet(
    one_thread: None, quick_collections: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(session, "default_threads", lambda: 1)
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path / "cache"))


def opened(folder: Path, model: nn.Module | None = None) -> SummaryWriter:
    return begin_log(folder, model or small_net(), IMAGES, LABELS)


def read(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return found


def points(found: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in found.Scalars(tag)]


def test_a_log_holds_samples_with_their_labels_and_the_graph(tmp_path: Path) -> None:
    opened(tmp_path / "run").close()
    found = read(tmp_path / "run")
    (image,) = found.Images("samples/images")
    assert (image.width, image.height) == (24, 8)
    (text,) = found.Tensors("samples/labels/text_summary")
    assert text.tensor_proto.string_val == [b"Bag, Coat, Shirt"]
    operations = {node.op for node in found.Graph().node}
    assert {"aten::_convolution", "aten::linear"} <= operations
    assert "model/no_graph/text_summary" not in found.Tags()["tensors"]


def test_steps_are_read_back_with_their_values(tmp_path: Path) -> None:
    log = opened(tmp_path)
    add_steps(log, 1, [2.5, 2.25], [0.5, 0.25])
    add_steps(log, 3, [math.nan], [0.125])  # a training that diverged is shown as it is
    log.close()
    found = read(tmp_path)
    (*losses, (_, last)) = points(found, "train/loss")
    assert losses == [(1, 2.5), (2, 2.25)]
    assert math.isnan(last)
    assert points(found, "train/learning_rate") == [(1, 0.5), (2, 0.25), (3, 0.125)]


def test_of_many_steps_neighbours_share_a_point(tmp_path: Path) -> None:
    log = opened(tmp_path)
    count = 2 * MAX_POINTS + 1  # three to a point
    add_steps(log, 11, [float(step) for step in range(count)], [step / 4 for step in range(count)])
    add_steps(log, count + 11, [], [])
    log.close()
    found = read(tmp_path)
    losses, rates = points(found, "train/loss"), points(found, "train/learning_rate")
    assert losses[:2] == [(13, 1.0), (16, 4.0)]
    assert rates[:2] == [(13, 0.5), (16, 1.25)]
    assert losses[-1] == (count + 10, 1999.0)
    assert rates[-1] == (count + 10, 500.0)
    assert len(losses) == len(rates) == count // 3 <= MAX_POINTS


class Counting(nn.Module):
    """Changes a buffer, draws and branches at every pass, in whatever mode."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: Tensor
        self.register_buffer("passes", torch.zeros(1))
        self.layers = small_net(dropout=0.5)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, 10)."""
        self.passes += 1
        noisy = images + torch.rand_like(images) if bool(images.max() > 0) else images
        logits: Tensor = self.layers(noisy)
        return logits


def test_the_model_and_what_is_drawn_next_stay_as_they_are(tmp_path: Path) -> None:
    model = Counting().train()
    model.layers[1].eval()  # as frozen BatchNorm is
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    modes = [module.training for module in model.modules()]
    state, addresses = flat_state(model), [p.data_ptr() for p in model.parameters()]
    drawn = torch.get_rng_state()
    opened(tmp_path, model).close()
    assert read(tmp_path).Tags()["graph"]
    assert torch.equal(torch.get_rng_state(), drawn)
    assert torch.equal(flat_state(model), state)
    assert [p.data_ptr() for p in model.parameters()] == addresses
    assert [module.training for module in model.modules()] == modes
    assert all(p.grad is not None and bool((p.grad == 1).all()) for p in model.parameters())


@pytest.mark.parametrize("build", [KeepsFeatures, Locked, spectral])
def test_a_net_that_cannot_be_copied_has_its_graph(
    build: Callable[[], nn.Module], tmp_path: Path
) -> None:
    model = build()
    opened(tmp_path, model).close()
    assert read(tmp_path).Tags()["graph"]
    assert getattr(model, "kept", None) is None


class Untraceable(nn.Module):
    """Gives what no trace can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = small_net()

    def forward(self, images: Tensor) -> object:
        """No tensor."""
        return self.layers(images), object()


def test_a_model_that_cannot_be_traced_is_noted_and_the_log_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = opened(tmp_path, Untraceable())
    add_steps(log, 1, [2.0], [0.1])
    log.close()
    found = read(tmp_path)
    (text,) = found.Tensors("model/no_graph/text_summary")
    assert text.tensor_proto.string_val[0]
    assert not found.Tags()["graph"]
    assert points(found, "train/loss") == [(1, 2.0)]
    assert capfd.readouterr().out == ""


def test_the_strip_shows_every_image_in_full_contrast() -> None:
    strip = image_strip(IMAGES * 4 - 2)
    assert strip.shape == (1, 8, 24)
    assert (float(strip.min()), float(strip.max())) == (0.0, 1.0)
    shown = strip[:, :, 8:16] * (IMAGES.max() - IMAGES.min()) + IMAGES.min()
    torch.testing.assert_close(shown, IMAGES[1])
    assert not image_strip(torch.ones(2, 1, 8, 8)).isnan().any()


def run_of(artifacts: Artifacts) -> Findings:
    """What RUN finds."""
    findings = Findings()
    run_seed(open_session(RUN), RUN, findings, silent, artifacts)
    return findings


def test_losses_scores_and_throughput_lie_in_the_event_files(tmp_path: Path) -> None:
    findings = run_of(Artifacts(tensorboard=tmp_path / "logs"))
    found = read(tmp_path / "logs" / folder_name(RUN))
    for tag, steps, values in (
        ("train/loss", range(1, 18), findings.samples["loss"]),
        ("train/learning_rate", range(1, 18), findings.samples["learning_rate"]),
        ("validation/accuracy", (7, 14, 17), findings.samples["curve"][:, 3]),
    ):
        shown = points(found, tag)
        assert [step for step, _ in shown] == list(steps)
        assert [value for _, value in shown] == pytest.approx(values.tolist(), rel=1e-6)
    assert len(points(found, "train/images_per_s")) == 3


def test_logging_changes_no_weights(tmp_path: Path) -> None:
    without, within = run_of(NOTHING), run_of(Artifacts(tensorboard=tmp_path))
    assert without.samples["loss"].tolist() == within.samples["loss"].tolist()
    assert within.measurements["test_loss"].values == without.measurements["test_loss"].values


def test_a_log_that_cannot_be_written_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(27, "File too large")

    monkeypatch.setattr(tensorboard, "add_steps", full)
    findings = run_of(Artifacts(tensorboard=tmp_path))
    assert "tensorboard_failed" in findings.flags
    assert findings.conditions["tensorboard"] == "File too large"
    assert findings.measurements["steps"].values == (17.0,)


def test_the_folder_of_a_run_has_a_name_that_every_file_system_takes() -> None:
    spec = replace(RUN, model="torchvision:" + "long" * 90)
    assert len(folder_name(spec)) < 200
    assert folder_name(spec) != folder_name(replace(spec, seed=1))
