"""Data files: what is accepted holds the very bytes that were verified, or what the CSV says."""

import gzip
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

from data_pipeline import ensure_data
from data_pipeline.sources.csv_files import load_csv
from data_pipeline.sources.fetch import find_or_fetch
from data_pipeline.sources.places import Source
from tests.data_pipeline.csv_by_hand import TEST, TRAIN, SmallData, csv_text
from tests.fuzz.fuzzing import NASTY_TEXTS, damaged, fuzzed, read_or_refused

SMALL = SmallData.drawn(num_train=12, num_test=4, num_pixels=4)
FILES = SMALL.idx_files()
CONTENTS = SMALL.idx_contents()
NAMES = tuple(CONTENTS)
TRAIN_TEXT, TEST_TEXT = csv_text(SMALL.train).encode(), csv_text(SMALL.test).encode()
FIELDS = st.one_of(
    st.integers(-2, 300).map(str),
    st.sampled_from(
        [
            *("", " ", "7 ", '"7"', '"7', "'7'", '""', "7.0", "7.5", "7e0", "1e2", "1e400", "+7"),
            *("-0", "-1", "nan", "inf", "NA", "null", "True", "0x10", "1_0", "\uff17", "\u0663"),
            *("7\0", "\0", "1\x008", "256", "255.0000001", "9" * 400, "7;7", "7\t", "\ufeff7"),
            *("#7", '7"8"', '"7\n"', '"1\r2"', "7\r", "x" * 300, "9999999999999999999999"),
        ]
    ),
)


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def zipped(content: bytes, name: str = TRAIN, packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as archive:
        archive.writestr(zipfile.ZipInfo(name), content, packing)
    return stream.getvalue()


def held(arrays: Sequence[NDArray[np.uint8]]) -> tuple[list[list[int]], list[list[int]]]:
    """The rows of train and test, as SmallData has them."""
    train, test = (
        [[int(label), *map(int, image.reshape(-1))] for image, label in zip(*pair, strict=True)]
        for pair in (arrays[:2], arrays[2:])
    )
    return train, test


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def raw(root: Path) -> Path:
    return SMALL.write_idx(root)


@fuzzed(name=st.sampled_from(NAMES), is_packed=st.booleans(), data=st.data())
def test_a_file_that_is_accepted_is_the_verified_one(
    root: Path, raw: Path, name: str, is_packed: bool, data: st.DataObject
) -> None:
    content = data.draw(damaged(gzipped(CONTENTS[name]) if is_packed else CONTENTS[name]))
    own, path = raw / name, raw / (f"{name}.gz" if is_packed else name)
    own.unlink()
    path.write_bytes(content)
    try:
        found = read_or_refused("IDX file", lambda: find_or_fetch(root, fetch=False, files=FILES))
        assert path.read_bytes() == content  # reported, never replaced
        assert is_packed or (found is not None) == (content == CONTENTS[name])
        if found:
            arrays = found[1]()[NAMES.index(name)]
            assert CONTENTS[name].endswith(arrays.tobytes())
        assert own.exists() != is_packed  # nothing is written beside a gzip file
    finally:
        path.unlink()
        own.write_bytes(CONTENTS[name])


@fuzzed(text=NASTY_TEXTS.map(lambda text: text.replace("\0", "")) | st.just("~nobody/x"))
def test_a_root_of_any_name(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("nothing"))
    monkeypatch.setenv("FMNIST_DATA", text.encode("utf-8", "surrogateescape").decode("latin-1"))
    for root in (Path(text), None):
        found = read_or_refused("data folder", lambda: ensure_data(root, fetch=False, files=FILES))  # noqa: B023
        assert found is None


@fuzzed(name=st.sampled_from(NAMES), data=st.data())
def test_a_source_that_sends_rubbish_leaves_nothing_behind(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    sent = {other: gzipped(content) for other, content in CONTENTS.items()}
    sent[name] = data.draw(damaged(sent[name]))
    source = Source("mirror", lambda _files, _say: sent)
    folder = tmp_path_factory.mktemp("fetched")
    found = read_or_refused(
        "fetched file", lambda: ensure_data(folder, files=FILES, sources=[source])
    )
    written = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert written == (CONTENTS if found else {})


def read_csv(root: Path) -> tuple[NDArray[np.uint8], ...]:
    return load_csv((root / TRAIN, root / TEST), FILES, root)[0]


def plain_value(field: str) -> int | None:
    """A whole number as Python reads it, quotes and blanks off; None for anything else."""
    bare = field.strip().strip('"').strip()
    if not bare.isascii() or "_" in bare:
        return None
    try:
        value = float(bare)
    except ValueError:
        return None
    return int(value) if value.is_integer() and value >= 0 else None


@fuzzed(
    places=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 4), FIELDS), max_size=3),
    ending=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    has_header=st.booleans(),
)
def test_csv_fields_that_are_accepted_are_what_the_file_says(
    root: Path, places: list[tuple[int, int, str]], ending: str, mark: str, has_header: bool
) -> None:
    rows = [[str(value) for value in row] for row in SMALL.train]
    for row, column, field in places:
        rows[row][column] = field
    lines = [",".join(row) for row in rows]
    header = csv_text(SMALL.train).partition("\n")[0]
    text = mark + ending.join([header, *lines] if has_header else lines) + ending
    (root / TRAIN).write_bytes(text.encode("utf-8", "surrogatepass"))
    (root / TEST).write_bytes(TEST_TEXT)
    found = read_or_refused("CSV fields", lambda: read_csv(root))
    if found is not None:
        rows[0][0] = rows[0][0].lstrip("\ufeff")  # a mark where the text begins is none of it
        wanted = [[plain_value(field) for field in row] for row in rows]
        assert held(found) == (wanted, SMALL.test)


@fuzzed(
    data=st.data(),
    pack=st.sampled_from(
        [
            lambda text: text,
            gzipped,
            zipped,
            lambda text: zipped(text, packing=zipfile.ZIP_LZMA),
            lambda text: zipped(text, packing=zipfile.ZIP_BZIP2),
            lambda text: zipped(text, f"../../{TRAIN}"),
            lambda text: zipped(text, "/etc/passwd"),
        ]
    ),
)
def test_damaged_csv_files_are_refused_or_right(
    root: Path, data: st.DataObject, pack: Callable[[bytes], bytes]
) -> None:
    (root / TRAIN).write_bytes(data.draw(damaged(pack(TRAIN_TEXT))))
    (root / TEST).write_bytes(TEST_TEXT)
    found = read_or_refused("CSV file", lambda: read_csv(root))
    if found is not None:
        images, labels = found[:2]
        assert images.shape == (12, 2, 2)
        assert int(labels.max()) <= 9
        if pack(TRAIN_TEXT) != TRAIN_TEXT:  # every archive has a checksum
            is_own = (root / TRAIN).read_bytes()[:2] in {b"\x1f\x8b", b"PK"}
            assert held(found) == (SMALL.train, SMALL.test) or not is_own


def test_a_packed_file_of_any_length_is_not_read_whole(tmp_path: Path) -> None:
    raw = SMALL.write_idx(tmp_path)
    (raw / NAMES[0]).unlink()
    with (raw / f"{NAMES[0]}.gz").open("wb") as stream:
        stream.truncate(2**40)  # takes no place on the disk
    found = read_or_refused("sparse file", lambda: ensure_data(tmp_path, fetch=False, files=FILES))
    assert found is None
