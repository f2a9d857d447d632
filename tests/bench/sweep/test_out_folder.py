"""A folder that takes no records is refused before anything is trained, and left as it was."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import UsageError
from bench.sweep.folders import check_takes_records
from tests.bench.sweep.mounting import mounted
from tests.command_line import CPU, assert_refused, call


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that holds 300 KB."""
    with mounted(tmp_path / "disk", "size=300k") as folder:
        yield folder


@pytest.mark.parametrize("folder", ["", "run", "mine", "mine/run", "runs/of/mine"])
def test_a_folder_that_takes_records_is_left_as_it_was(tmp_path: Path, folder: str) -> None:
    (tmp_path / "mine").mkdir()
    check_takes_records(tmp_path / folder)
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match=r"^cannot write to --out .*/file/run: Not a directory; "):
        check_takes_records(tmp_path / "file" / "run")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_tells_only_when_all_is_to_be_on_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=os.strerror(number)):
        check_takes_records(tmp_path / "runs" / "mine")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_refused(small_disk: Path) -> None:
    check_takes_records(small_disk / "run")
    (small_disk / "filler").write_bytes(b"x" * 200_000)
    with pytest.raises(UsageError, match=r"No space left on device; free space there, or name"):
        check_takes_records(small_disk / "run")
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_a_read_only_disk_is_refused_before_a_sweep(
    small_disk: Path,
    data_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    refused = call(
        monkeypatch, capfd, data_root, "run", "--models", "v0", *CPU, "--out", small_disk / "run"
    )
    assert_refused(refused, f"cannot write to --out {small_disk / 'run'}: Read-only file system")
