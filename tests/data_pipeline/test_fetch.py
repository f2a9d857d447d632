"""Finding, verifying, fetching: with small hand-made IDX files in place of the real ones."""

import errno
import gzip
import hashlib
import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from threading import Barrier

import pytest

from data_pipeline import DataError, data_hash, ensure_data
from data_pipeline.sources.files import FASHION_MNIST_FILES, DataFile
from data_pipeline.sources.places import SOURCES, Packed, Say, Source, SourceError
from tests.data_pipeline.csv_by_hand import UNASKED, SmallData

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = (file.name for file in FASHION_MNIST_FILES)
DATA = SmallData.drawn()
CONTENTS, FILES = DATA.idx_contents(), DATA.idx_files()
PACKED = {name: gzip.compress(content) for name, content in CONTENTS.items()}


def give_all(files: Sequence[DataFile], say: Say) -> Packed:
    say("giving")
    return {file.name: PACKED[file.name] for file in files}


def give_nothing(files: Sequence[DataFile], say: Say) -> Packed:
    raise SourceError("closed\non Sundays")


GOOD, SHUT = Source("good", give_all), Source("shut", give_nothing)
DAMAGED = Source("damaged", lambda files, _: {f.name: PACKED[f.name][:-9] for f in files})


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """The folder with all four files in it."""
    return DATA.write_idx(tmp_path)


def error_line(root: Path, *sources: Source) -> str:
    """Return the message of the expected DataError, which is one line."""
    with pytest.raises(DataError) as caught:
        ensure_data(root, fetch=True, files=FILES, sources=sources or (UNASKED,))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_in_place_are_found_and_no_source_is_asked(tmp_path: Path, whole: Path) -> None:
    data = ensure_data(tmp_path, files=FILES, sources=(UNASKED,))
    assert astuple(data) == (whole, data_hash(FILES), "found")


def test_only_what_is_missing_is_fetched(tmp_path: Path, whole: Path) -> None:
    (whole / TEST_LABELS).unlink()
    asked: list[str] = []
    lines: list[str] = []

    def give(files: Sequence[DataFile], say: Say) -> Packed:
        asked.extend(file.name for file in files)
        return give_all(files, say)

    data = ensure_data(
        tmp_path, say=lines.append, files=FILES, fetch=True, sources=(Source("x", give),)
    )
    assert (data.source, asked, lines) == ("x", [TEST_LABELS], ["giving"])
    assert (whole / TEST_LABELS).read_bytes() == CONTENTS[TEST_LABELS]


def test_fetch_makes_the_folder_and_leaves_only_the_four_files(tmp_path: Path) -> None:
    folder = ensure_data(tmp_path / "new", files=FILES, fetch=True, sources=(GOOD,)).folder
    assert {path.name for path in folder.iterdir()} == set(CONTENTS)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((folder / TRAIN_IMAGES).stat().st_mode) == 0o666 & ~umask


def test_without_fetch_a_missing_file_is_named_with_the_remedy(tmp_path: Path, whole: Path) -> None:
    (whole / TEST_IMAGES).unlink()
    with pytest.raises(DataError, match=rf"raw: no {TEST_IMAGES} beside the others; put"):
        ensure_data(tmp_path, fetch=False, files=FILES, sources=(UNASKED,))


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"", id="empty"),
        pytest.param(CONTENTS[TRAIN_IMAGES][:-1], id="truncated"),
        pytest.param(CONTENTS[TRAIN_IMAGES] + b"\0", id="too long"),
        pytest.param(CONTENTS[TRAIN_IMAGES][:-1] + b"\xff", id="one byte changed"),
        pytest.param(PACKED[TRAIN_IMAGES], id="still packed"),
    ],
)
def test_a_bad_file_is_reported_and_left_alone(tmp_path: Path, whole: Path, bad: bytes) -> None:
    (whole / TRAIN_IMAGES).write_bytes(bad)
    (whole / TEST_LABELS).unlink()  # fetching that must not be a chance to replace the other
    message = error_line(tmp_path, GOOD)
    assert message.startswith(
        f"{whole / TRAIN_IMAGES}: expected 496 bytes with md5 {FILES[0].md5}, "
    )
    assert f"found {len(bad)} bytes with md5 {hashlib.md5(bad).hexdigest()}" in message
    command = f"`fmnist-bench doctor --fetch --data {tmp_path}`"
    assert message.endswith(f"name another folder, or delete the file and run {command}")
    assert "swapped" not in message
    assert (whole / TRAIN_IMAGES).read_bytes() == bad


def test_swapped_files_are_recognised(tmp_path: Path, whole: Path) -> None:
    (whole / TRAIN_IMAGES).rename(whole / "aside")
    (whole / TEST_IMAGES).rename(whole / TRAIN_IMAGES)
    (whole / "aside").rename(whole / TEST_IMAGES)
    assert f"it holds {TEST_IMAGES}: swapped?" in error_line(tmp_path)


@pytest.mark.parametrize(
    ("packed", "found"),
    [
        pytest.param(PACKED[TRAIN_LABELS][:-9], "found damage", id="truncated"),
        pytest.param(CONTENTS[TRAIN_LABELS], "found damage", id="not gzip"),
        pytest.param(PACKED[TRAIN_LABELS][:-8] + bytes(8), "found damage", id="wrong checksum"),
        pytest.param(PACKED[TEST_LABELS], f"holds {TEST_LABELS}: swapped?", id="swapped"),
        pytest.param(gzip.compress(bytes(10**6)), "found 39 bytes", id="too long"),
    ],
)
def test_a_bad_gzip_file_is_reported(
    tmp_path: Path, whole: Path, packed: bytes, found: str
) -> None:
    (whole / TRAIN_LABELS).unlink()
    (whole / f"{TRAIN_LABELS}.gz").write_bytes(packed)
    message = error_line(tmp_path)
    assert message.startswith(f"{whole / TRAIN_LABELS}.gz: expected ")
    assert found in message
    assert not (whole / TRAIN_LABELS).exists()


def test_a_source_with_damaged_files_gives_way_to_the_next(tmp_path: Path) -> None:
    lines: list[str] = []
    data = ensure_data(tmp_path, say=lines.append, files=FILES, fetch=True, sources=(DAMAGED, GOOD))
    assert data.source == "good"
    assert lines[0].startswith(f"no data from damaged ({TRAIN_IMAGES}.gz: expected")


def test_when_all_sources_fail_one_line_names_each_reason_and_the_remedy(tmp_path: Path) -> None:
    message = error_line(tmp_path, DAMAGED, SHUT)
    assert "damaged (train-images-idx3-ubyte.gz: expected" in message
    assert "shut (closed on Sundays); put train-images-idx3-ubyte, " in message
    assert message.endswith(f"into {tmp_path / 'FashionMNIST' / 'raw'} by hand")


def test_a_root_and_a_file_of_another_kind_are_reported(tmp_path: Path, raw: Path) -> None:
    (raw / TRAIN_IMAGES).mkdir()
    wanted = f"{raw / TRAIN_IMAGES}: expected a file of 496 bytes, found "
    assert f"{wanted}a folder; name" in error_line(tmp_path)
    (raw / TRAIN_IMAGES).rmdir()
    (raw / TRAIN_IMAGES).symlink_to("gone")
    assert f"{wanted}a link to nothing; name" in error_line(tmp_path)
    root = tmp_path / "archive.zip"
    root.touch()
    assert error_line(root) == f"{root} is no folder; unpack an archive first, and name the folder"
    assert error_line(root / "data").endswith(
        "data: Not a directory; name another folder with FMNIST_DATA=/path/to/data"
    )


@pytest.mark.parametrize(
    ("refused", "what"), [("stat", "use"), ("mkdir", "write to"), ("open", "write to")]
)
def test_missing_rights_are_reported_before_any_download(
    tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch, refused: str, what: str
) -> None:
    def refuse(path: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:  # as root, real rights would stop nobody
        patch.setattr(Path, refused, refuse)
        message = error_line(tmp_path)
    assert message.startswith(f"cannot {what} the data folder {tmp_path}")
    assert ": Permission denied; name another folder with FMNIST_DATA=" in message


def test_a_full_disk_leaves_no_half_file(
    tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (raw / ".writable").touch()

    def refuse(descriptor: int) -> None:
        if os.fstat(descriptor).st_size:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    assert "No space left on device" in error_line(tmp_path, GOOD)
    assert list(raw.iterdir()) == []


def test_another_process_may_finish_first(tmp_path: Path) -> None:
    def give_late(files: Sequence[DataFile], say: Say) -> Packed:
        ensure_data(tmp_path, files=FILES, fetch=True, sources=(GOOD,))
        return give_all(files, say)

    folder = ensure_data(
        tmp_path, files=FILES, fetch=True, sources=(Source("late", give_late),)
    ).folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS


def test_two_may_fetch_at_once(tmp_path: Path) -> None:
    roots, barrier = [tmp_path / str(turn) for turn in range(40)], Barrier(2)

    def fetch(_racer: int) -> None:
        for root in roots:
            barrier.wait(timeout=20)  # the other may have failed
            ensure_data(root, files=FILES, fetch=True, sources=(GOOD,))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fetch, range(2)))
    for root in roots:
        found = {path.name: path.read_bytes() for path in root.rglob("raw/*")}
        assert found == CONTENTS


def test_no_reader_ever_sees_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def look(descriptor: int) -> None:  # called when all bytes are written, before the rename
        with pytest.raises(DataError) as caught:
            ensure_data(tmp_path, fetch=False, files=FILES)
        seen.append(str(caught.value))

    monkeypatch.setattr(os, "fsync", look)
    ensure_data(tmp_path, files=FILES, fetch=True, sources=(GOOD,))
    assert len(seen) == 1 + len(FILES)  # the first is the probe of the folder's rights
    assert "holds no Fashion-MNIST" in seen[0]
    assert all(f"{TEST_LABELS} beside the others" in line for line in seen[2:])


def test_torchvision_finds_what_was_fetched(tmp_path: Path) -> None:
    from torchvision.datasets import FashionMNIST  # takes 3 s

    ensure_data(tmp_path, files=FILES, fetch=True, sources=(GOOD,))
    train = FashionMNIST(tmp_path, train=True, download=False)
    test = FashionMNIST(tmp_path, train=False, download=False)
    assert (tuple(train.data.shape), tuple(test.data.shape)) == ((30, 4, 4), (10, 4, 4))
    assert bytes(train.data.flatten().tolist()) == CONTENTS[TRAIN_IMAGES][16:]
    assert test.targets.tolist() == list(range(10))


def test_the_hash_depends_on_every_file_and_never_changes() -> None:
    assert data_hash() == "1cb5a4cf9ef3"
    assert data_hash(FASHION_MNIST_FILES[:3]) != data_hash()


def test_the_sources_are_tried_nearest_first() -> None:
    assert [source.name for source in SOURCES] == ["debian folder", "mirror", "debian package"]
