"""The data set as it lies on people's disks, with small files in place of the real ones."""

import gzip
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import IO, Any

import pytest

from data_pipeline import DataError, data_hash, ensure_data, load_fashion_mnist
from data_pipeline.sources.places import Source
from tests.data_pipeline.csv_by_hand import UNASKED, SmallData

DATA = SmallData.drawn()
CONTENTS, FILES = DATA.idx_contents(), DATA.idx_files()
GOOD = Source("good", lambda files, _: {f.name: gzip.compress(CONTENTS[f.name]) for f in files})


def as_windows_has_it(name: str) -> str:
    return name.replace("-idx", ".idx")


LAYOUTS: dict[str, tuple[str, Callable[[str], str]]] = {
    "flat, or the folder raw itself": ("", str),
    "a parent of torchvision's": ("data/FashionMNIST/raw", str),
    "a clone, gzipped": ("fashion-mnist-master/data/fashion", "{}.gz".format),
    "Keras, gzipped": ("datasets/fashion-mnist", "{}.gz".format),
    "torchvision's, gzipped": ("FashionMNIST/raw", "{}.gz".format),
    "another spelling": ("Fashion-MNIST/raw", str),
    "a subclass of torchvision's MNIST": ("Clothes/raw", str),
    "another name": ("fmnist", "{}.gz".format),
    "a prefix": ("", "fashion-{}".format),
    "a longer prefix": ("", "fashion_mnist_{}.gz".format),
    "dots": ("", as_windows_has_it),
    "capitals": ("", lambda name: f"{name}.gz".upper()),
    "a folder a file": ("", lambda name: f"{name}/{as_windows_has_it(name)}"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_are_found_as_they_lie_and_nothing_is_written(tmp_path: Path, layout: str) -> None:
    """Would catch a layout that is not looked for, and a file decoded beside a user's own."""
    place, called = LAYOUTS[layout]
    for name, content in CONTENTS.items():
        path = tmp_path / place / called(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if path.suffix.lower() == ".gz" else content)
    before = {*tmp_path.rglob("*")}
    found = ensure_data(tmp_path, files=FILES)
    assert astuple(found) == (tmp_path / place, data_hash(FILES), "found")
    loaded = load_fashion_mnist(tmp_path, files=FILES)
    assert loaded.train_images.shape == (30, 1, 4, 4)
    assert bytes(loaded.test_images.flatten().tolist()) == CONTENTS[FILES[2].name][16:]
    assert loaded.test_labels.tolist() == list(range(10))
    assert {*tmp_path.rglob("*")} == before


def test_what_is_no_file_does_not_hide_the_gzip_form_which_is_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would catch an empty folder beside a good file refused, and data read again after a check."""
    for name, content in CONTENTS.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    (tmp_path / FILES[0].name).mkdir()
    (tmp_path / FILES[1].name).symlink_to("gone")
    opened: list[Path] = []
    own = Path.open

    def noted(path: Path, mode: str) -> IO[Any]:
        opened.append(path)
        return own(path, mode)

    monkeypatch.setattr(Path, "open", noted)
    assert load_fashion_mnist(tmp_path, files=FILES).data_hash == data_hash(FILES)
    assert opened == [tmp_path / f"{file.name}.gz" for file in FILES]


def test_nothing_is_fetched_into_a_folder_that_somebody_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would catch 30 MB in a folder whose name was mistyped; ./data alone is filled unasked."""
    monkeypatch.chdir(tmp_path)
    wrong, remedy = tmp_path / "mis typed", f"doctor --fetch --data '{tmp_path / 'mis typed'}'"
    for root in (wrong, None):
        monkeypatch.setenv("FMNIST_DATA", str(wrong))
        with pytest.raises(DataError, match=r"^there is no data folder .*; name another, or") as no:
            ensure_data(root, files=FILES, sources=(UNASKED,))
        assert remedy in str(no.value)
    wrong.mkdir()
    with pytest.raises(DataError, match="holds no Fashion-MNIST, neither train-images"):
        ensure_data(wrong, files=FILES, sources=(UNASKED,))
    assert [*tmp_path.rglob("*")] == [wrong]
    monkeypatch.delenv("FMNIST_DATA")
    assert ensure_data(files=FILES, sources=(GOOD,)).folder == Path("data/FashionMNIST/raw")


def test_other_pictures_of_the_same_names_are_no_data_and_stay(tmp_path: Path) -> None:
    """Would catch MNIST's digits trained on, or a user told that they must go."""
    digits = tmp_path / "MNIST" / "raw"
    digits.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (digits / name).write_bytes(content[:-1] + b"\xff")
    with pytest.raises(DataError, match="or another data set, such as MNIST's digits") as no:
        ensure_data(tmp_path, files=FILES, sources=(UNASKED,))
    command = f"`fmnist-bench doctor --fetch --data {tmp_path}`"
    assert str(no.value).endswith(f"; name another folder, or run {command}")
    assert ensure_data(tmp_path, fetch=True, files=FILES, sources=(GOOD,)).source == "good"
    assert ensure_data(tmp_path, files=FILES).folder == tmp_path / "FashionMNIST" / "raw"
