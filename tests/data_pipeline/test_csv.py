"""Kaggle's CSV form: what is read, and what its hash says."""

import gzip
import hashlib
import io
import json
import random
import sys
import zipfile
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import pytest
import torch

from data_pipeline import DataError, data_hash, ensure_data, load_fashion_mnist
from tests.command_line import finish
from tests.data_pipeline.csv_by_hand import TEST, TRAIN, UNASKED, SmallData, csv_text, header_line

DATA = SmallData.drawn()
FILES = DATA.idx_files()
SHUFFLED = SmallData(random.Random(1).sample(DATA.train, k=len(DATA.train)), DATA.test)


def hash_of(root: Path) -> str:
    return ensure_data(root, files=FILES, sources=(UNASKED,)).data_hash


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with both CSV files in the order of the official files."""
    DATA.write_csv(tmp_path)
    return tmp_path


def test_the_original_order_gives_the_official_hash_and_nothing_is_fetched(root: Path) -> None:
    lines: list[str] = []
    found = ensure_data(root, say=lines.append, files=FILES, sources=(UNASKED,))
    assert astuple(found) == (root, data_hash(FILES), "CSV files")
    assert lines == []
    assert {path.name for path in root.iterdir()} == {TRAIN, TEST}  # no cache beside them


def test_another_order_gives_another_hash_and_a_line_says_so(root: Path) -> None:
    SHUFFLED.write_csv(root)
    lines: list[str] = []
    found = ensure_data(root, say=lines.append, files=FILES, sources=(UNASKED,))
    md5s = [hashlib.md5(content).hexdigest() for content in SHUFFLED.idx_contents().values()]
    assert found.data_hash == hashlib.sha256("".join(md5s).encode()).hexdigest()[:12]
    assert found.data_hash != data_hash(FILES)
    assert len(lines) == 1
    assert f"(data hash {found.data_hash}, not {data_hash(FILES)})" in lines[0]


def test_the_tensors_are_those_of_the_idx_files(root: Path, tmp_path: Path) -> None:
    DATA.write_idx(tmp_path / "torchvision")
    ours, wanted = (
        load_fashion_mnist(folder, fetch=False, files=FILES)
        for folder in (root, tmp_path / "torchvision")
    )
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        mine, official = getattr(ours, name), getattr(wanted, name)
        assert mine.dtype == official.dtype
        assert torch.equal(mine, official)
        assert mine.is_contiguous()
    assert (ours.data_hash, ours.classes) == (wanted.data_hash, wanted.classes)


def test_torchvision_s_layout_goes_first_where_it_is_whole(root: Path) -> None:
    SHUFFLED.write_csv(root)
    folder = DATA.write_idx(root)
    assert astuple(ensure_data(root, files=FILES)) == (folder, data_hash(FILES), "found")


def test_csv_files_go_before_a_download_but_do_not_hide_a_bad_idx_file(root: Path) -> None:
    path = DATA.write_idx(root) / FILES[0].name
    path.unlink()
    found = ensure_data(root, files=FILES, sources=(UNASKED,))
    assert (found.source, found.data_hash) == ("CSV files", data_hash(FILES))
    path.write_bytes(b"")
    with pytest.raises(DataError, match="train-images-idx3-ubyte: expected 496 bytes"):
        hash_of(root)


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._" + Path(name).name, b"not this")
        archive.writestr(name, content)
    return stream.getvalue()


PACK: dict[str, tuple[str, Callable[[str, bytes], bytes]]] = {
    "gzip": (".gz", lambda _, content: gzip.compress(content)),
    "zip": (".zip", zipped),
    "zip by the name of the CSV file": ("", zipped),
    "zip with a folder": (".zip", lambda name, content: zipped(f"data/{name}", content)),
}


@pytest.mark.parametrize("form", PACK)
def test_packed_files_are_read(root: Path, form: str) -> None:
    ending, pack = PACK[form]
    for name in (TRAIN, TEST):
        content = (root / name).read_bytes()
        (root / name).unlink()
        (root / f"{name}{ending}").write_bytes(pack(name, content))
    assert hash_of(root) == data_hash(FILES)


HEADER = header_line(16)
AS_WRITTEN = csv_text(DATA.train)
SAME = {
    "no header": AS_WRITTEN.removeprefix(f"{HEADER}\n"),
    "no line end at the end": AS_WRITTEN.removesuffix("\n"),
    "empty lines": AS_WRITTEN.replace("\n", "\n\n") + "\n \n",
    "Windows": AS_WRITTEN.replace("\n", "\r\n"),
    "Excel": "\ufeff" + AS_WRITTEN,
    "Excel without a header": "\ufeff" + AS_WRITTEN.removeprefix(f"{HEADER}\n"),
    "blanks": AS_WRITTEN.replace(",", ", "),
    "quoted": "".join(
        ",".join(f'"{field}"' for field in line.split(",")) + "\n"
        for line in AS_WRITTEN.splitlines()
    ),
    "whole floats": csv_text([[float(value) for value in row] for row in DATA.train]),  # type: ignore[misc]
    "capitals": AS_WRITTEN.replace("label", "Label"),
}


@pytest.mark.parametrize("form", SAME)
def test_the_same_numbers_in_another_form_are_the_same_data(root: Path, form: str) -> None:
    (root / TRAIN).write_text(SAME[form], encoding="utf-8", newline="")
    assert hash_of(root) == data_hash(FILES)


@pytest.mark.parametrize("sizes", [(10, 10), (900, 20)])  # the first: equal, so not swapped
def test_files_of_other_sizes_are_read(tmp_path: Path, sizes: tuple[int, int]) -> None:
    data = SmallData.drawn(*sizes)
    data.write_csv(tmp_path)
    loaded = load_fashion_mnist(tmp_path, files=data.idx_files())
    assert loaded.data_hash == data_hash(data.idx_files())
    assert len(loaded.train_images) == sizes[0]


LOADED = """
import json, sys
from pathlib import Path
from data_pipeline import CLASS_NAMES, DataError, data_hash, ensure_data
from data_pipeline.sources.files import DataFile
heavy = {"torch", "torchvision", "pandas", "scipy"}
print(sorted((heavy | {"numpy"}) & set(sys.modules)))
ensure_data(Path(sys.argv[1]), files=[DataFile(*row) for row in json.loads(sys.argv[2])])
print(sorted(heavy & set(sys.modules)))
"""


def test_reading_needs_neither_torch_nor_pandas_and_an_import_not_even_numpy(root: Path) -> None:
    files = json.dumps([astuple(f) for f in FILES])
    done = finish(sys.executable, "-c", LOADED, root, files)
    assert (done.returncode, done.stdout) == (0, "[]\n[]\n"), done.stderr
