"""The cache folder: found by variable, written whole, never a reason to fail."""

from pathlib import Path

import pytest

from bench.cache import cache_folder, read_cached, write_cached


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_variable_names_the_folder(folder: Path) -> None:
    assert cache_folder() == folder


def test_without_it_the_folder_lies_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FMNIST_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/fmnist-bench")


def test_what_was_written_is_read(folder: Path) -> None:
    write_cached("plans/a.json", {"step_s": [0.5]})
    assert read_cached("plans/a.json") == {"step_s": [0.5]}
    assert [path.name for path in (folder / "plans").iterdir()] == ["a.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]"])
def test_what_is_missing_torn_or_strange_is_unknown(folder: Path, content: bytes) -> None:
    assert read_cached("a.json") is None
    folder.mkdir()
    (folder / "a.json").write_bytes(content)
    assert read_cached("a.json") is None


def test_a_folder_that_cannot_be_written_is_no_failure(folder: Path) -> None:
    folder.write_bytes(b"a file where the folder should be")
    write_cached("plans/a.json", {})
    assert read_cached("plans/a.json") is None
