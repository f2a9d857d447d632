"""What a user may get wrong about weights, protocols and saved models: one line, exit code 2."""

from pathlib import Path

import pytest

from tests.command_line import CPU, PLAN, assert_refused, call

WEIGHTS = Path(__file__).parents[3] / "fmnist_models" / "weights"
STEPS = ("--budget", "3steps")
SEEN = {
    "no file": (
        ["--models", "v0", "--set", "weights=gone.pt"],
        "there is no file gone.pt; choose --set weights=random, imagenet or a file",
    ),
    "no protocol": (["--recipe", "published", "--protocol", "dirty"], "unknown protocol 'dirty'"),
    "unpublished": (["--protocol", "clean"], "recipe default is no published one"),
    "unknown system": (
        ["--recipe", "published", "--models", "torchvision:resnet34"],
        "--recipe published knows no torchvision:resnet34",
    ),
    "test images": (["--set", "split=test"], "shows test images to the training"),
    "protocol": (["--set", "protocol=clean"], "a recipe has no field 'protocol'"),
    "cadence": (["--save-every", "3parsecs"], "unknown unit"),
    "cadence unit": (["--save-every", "9images"], "--save-every takes such as 1epochs"),
    "ladder": (["--plan", "ladder", "--save"], "leave --save and --tensorboard out"),
}


@pytest.mark.parametrize("mistake", SEEN)
def test_a_mistake_seen_at_once(
    mistake: str,
    data_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    options, wanted = SEEN[mistake]
    assert_refused(call(monkeypatch, capfd, data_root, "run", *CPU, *options), wanted)


@pytest.mark.parametrize(
    ("model", "content", "wanted"),
    [
        ("v1", None, "is a checkpoint of v0, not of v1"),
        ("v0", b"no weights", "is no file of torch.save, or a damaged one"),
        ("resnet8", b"", "is no file of torch.save, or a damaged one"),
    ],
)
def test_weights_that_cannot_be_used(
    model: str,
    content: bytes | None,
    wanted: str,
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = WEIGHTS / "v0.pt"
    if content is not None:
        path = tmp_path / "w.pt"
        path.write_bytes(content)
    options = ("--models", model, "--set", f"weights={path}", "--out", tmp_path / "run")
    done = call(monkeypatch, capfd, data_root, "run", *CPU, *PLAN, *STEPS, *options)
    assert_refused(done, wanted)
    assert not (tmp_path / "run" / "records.jsonl").exists()


def test_weights_of_the_same_model_are_gone_on_from(
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    options = ("--models", "v0", "--set", f"weights={WEIGHTS / 'v0.pt'}", "--out", tmp_path / "run")
    done = call(monkeypatch, capfd, data_root, "run", *CPU, *PLAN, *STEPS, *options)
    assert done.returncode == 0, done.stderr
    assert "default+weights=v0.pt" in done.stdout


def test_a_folder_of_saved_models_is_not_gone_on_with_unasked(
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "0123456789ab-0-last.pt").touch()
    done = call(monkeypatch, capfd, data_root, "run", *CPU, *STEPS, "--out", tmp_path)
    assert_refused(done, "already holds 1 saved model; add --resume to go on with them")
