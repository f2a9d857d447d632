"""Pipes, endless devices and loops of links in place of a file: refused, never waited for."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.keep.saved_model import read_whole
from bench.machine.cache import read_cached
from bench.spec.recipe_settings import read_config
from bench.sweep.checked import check_options
from bench.sweep.request import Request
from data_pipeline import ensure_data, read_photo
from data_pipeline.sources.places import SourceError, read_debian_folder
from tests.data_pipeline.csv_by_hand import TEST, TRAIN, SmallData
from tests.fuzz.fuzzing import no_hang, read_or_refused

SMALL = SmallData.drawn(num_train=12, num_test=4, num_pixels=4)
FILES = SMALL.idx_files()
IMAGES = f"FashionMNIST/raw/{FILES[0].name}"
KINDS: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "loop of links": lambda path: path.symlink_to(path.name),
}


def find_data(path: Path) -> object:
    root = path.parents[len(Path(IMAGES).parts) - 1] if "raw" in path.parts else path.parent
    return ensure_data(root, fetch=False, files=FILES)


def start_from_it(path: Path) -> object:
    return check_options(Request(models="v0", settings=[f"weights={path}"])).specs("cpu")


READERS: dict[str, Callable[[Path], object]] = {
    "recipe.toml": read_config,
    "weights.pt": start_from_it,
    "model.pt": read_whole,
    "photo.png": read_photo,
    "cached.json": lambda path: read_cached(path.name),
    TRAIN: find_data,
    TEST: find_data,
    IMAGES: find_data,
    f"{IMAGES}.gz": find_data,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path))
    path = tmp_path / name
    if name in {TRAIN, TEST}:
        SMALL.write_csv(tmp_path)
        path.unlink()
    elif name.startswith(IMAGES):
        SMALL.write_idx(tmp_path)
        (tmp_path / IMAGES).unlink()
    KINDS[kind](path)
    with no_hang():
        assert read_or_refused("special file", lambda: READERS[name](path)) is None


@pytest.mark.parametrize("kind", KINDS)
def test_debians_folder_may_link_to_a_device(tmp_path: Path, kind: str) -> None:
    KINDS[kind](tmp_path / FILES[0].packed_name)
    with no_hang(), pytest.raises(SourceError, match=r"is no file|Too many levels"):
        read_debian_folder(FILES, print, tmp_path)
