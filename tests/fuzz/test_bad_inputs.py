"""What fuzzing has found, each once: it raised, hung or was accepted before."""

import zipfile
from pathlib import Path

import pytest
import torch

from bench import Budget, UsageError
from bench.counts.baseline import Baseline
from bench.errors import MOST_CHARS, short_line
from bench.gate.worktrees import find_commits
from bench.keep.saved_model import read_saved, saved_model_of, write_saved
from bench.plans.settle import read_timings
from bench.spec.named_recipes import CLASSIC, DEFAULT
from bench.spec.recipe_settings import override, read_config, read_settings
from data_pipeline import DataError, ensure_data
from fmnist_models import ModelError, build_model, resolve_names
from fmnist_models.pretrained import start_from

DEEP = "[" * 5_000
HUGE = "0x" + "f" * 5_000  # Python writes no such number in decimal


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"augment = {DEEP}", "is no TOML"),
        (f"batch_size = {HUGE}", "takes a whole number, not a number of thousands of digits"),
        (f"optimizer = {HUGE}", "muon, not a number of thousands of digits"),
        ('weights = "a\\u0000b"', "unknown weights 'a\\x00b'"),
        ('augment = ["a+b/"]', "augment takes up to 16 names"),
        (f"augment = {['flip'] * 17}", "augment takes up to 16 names"),
    ],
)
def test_a_config_is_refused(tmp_path: Path, text: str, wanted: str) -> None:
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(UsageError) as refused:
        override(DEFAULT, read_config(tmp_path / "recipe.toml"))
    assert wanted in str(refused.value)


def test_a_second_line_of_a_setting_is_not_dropped() -> None:
    with pytest.raises(UsageError, match="batch_size takes a whole number"):
        override(DEFAULT, read_settings(["batch_size=32\nlearning_rate=1"]))


def test_a_deep_setting_is_a_word() -> None:
    assert read_settings([f"augment={DEEP}"]) == {"augment": DEEP}


def test_weights_of_nobody_and_of_any_bytes_have_a_name() -> None:
    recipe = override(DEFAULT, {"weights": "~nobody_here/x"})
    assert recipe.weights == "~nobody_here/x"
    assert override(DEFAULT, {"weights": "\udcff"}).name == "default+weights=?"


def test_a_budget_without_end_is_refused() -> None:
    with pytest.raises(UsageError, match="never ends"):
        Budget.parse("1e305epochs")


def test_a_model_file_with_a_name_that_is_too_long_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no Python file"):
        resolve_names("x" * 5_000 + ".py:Net")
    (tmp_path / "a\nb.py").touch()
    with pytest.raises(ModelError, match="rename the file"):
        resolve_names(f"{tmp_path}/a\nb.py:Net")


def test_a_line_is_never_endless_and_keeps_its_remedy() -> None:
    line = short_line(UsageError("unknown " + "x" * 10_000 + "\x1b[2J\n; do that"))
    assert len(line) < MOST_CHARS + 10
    assert line.endswith("; do that")
    assert line.isprintable()


@pytest.mark.parametrize(
    "timings", ["3", '[{"plan": "eager", "step_s": ["nan"]}]', '[{"plan": "eager", "step_s": []}]']
)
def test_timings_that_cannot_be_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timings: str
) -> None:
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path))
    (tmp_path / "a.json").write_text(f'{{"timings": {timings}}}')
    assert read_timings("a.json") == {}


@pytest.mark.parametrize("text", [f"any = {DEEP}", f"[any]\nv0 = {{ parameters = {HUGE} }}"])
def test_a_file_of_counts_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "counts.toml").write_text(text)
    with pytest.raises(UsageError, match="is no file of counts"):
        Baseline.read(tmp_path / "counts.toml")


def test_a_revision_that_excludes_a_commit_is_none() -> None:
    with pytest.raises(UsageError, match=r"unknown revision '\^HEAD'"):
        find_commits("^HEAD", "HEAD")


def test_a_data_folder_of_nobody() -> None:
    with pytest.raises(DataError, match="there is no such user here"):
        ensure_data(Path("~nobody_here/x"), fetch=False)


def test_one_changed_bit_of_a_weight_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    write_saved(path, saved_model_of(build_model("v0"), name="v0", recipe=CLASSIC, trained={}))
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
    content = bytearray(path.read_bytes())
    content[largest.header_offset + largest.file_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="its checksums differ"):
        read_saved(path)
    with pytest.raises(ModelError, match="its checksums differ"):
        start_from(build_model("v0"), "v0", str(path), "rgb_sum")


@pytest.mark.parametrize(
    "odd",
    [torch.full((10,), float("nan")), torch.zeros(10, dtype=torch.complex64)],
    ids=["NaN", "complex"],
)
def test_weights_without_finite_numbers_start_nothing(tmp_path: Path, odd: torch.Tensor) -> None:
    weights = build_model("v0").state_dict()
    bias = next(name for name in weights if name.endswith("bias"))
    torch.save(dict(weights) | {bias: odd}, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match=r"no finite numbers|is complex, not real"):
        start_from(build_model("v0"), "v0", str(tmp_path / "weights.pt"), "rgb_sum")


def test_sparse_weights_are_refused(tmp_path: Path) -> None:
    weights = {name: tensor.to_sparse() for name, tensor in build_model("v0").state_dict().items()}
    torch.save(weights, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match="holds no state dict"):
        start_from(build_model("v0"), "v0", str(tmp_path / "weights.pt"), "rgb_sum")
