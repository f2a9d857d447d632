"""The cache folder: found by variable, written whole, never a reason to fail."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from bench.machine.cache import (
    cache_folder,
    name_compile_folder_in_full,
    read_cached,
    use_compile_cache,
    write_cached,
)
from bench.machine.compilers import find_compiler, why_no_compiler
from tests.bench.sweep.mounting import mounted


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_without_it_the_folder_lies_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FMNIST_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/fmnist-bench")


def test_a_user_without_a_home_has_it_in_the_temporary_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("FMNIST_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54_321)  # who has no entry in passwd
    assert cache_folder() == Path(tempfile.gettempdir()) / "cache-54321" / "fmnist-bench"


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


def test_a_folder_that_cannot_be_written_is_no_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_bytes(b"a file where the folder should be")
    write_cached("plans/a.json", {})
    assert read_cached("plans/a.json") is None
    assert inductor_folder(monkeypatch) is None  # compilers use their own


def inductor_folder(monkeypatch: pytest.MonkeyPatch, before: str | None = None) -> str | None:
    """What becomes of the compilers' variable."""
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    if before:
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", before)
    use_compile_cache()
    return os.environ.pop("TORCHINDUCTOR_CACHE_DIR", None)


def test_compilers_keep_their_code_in_the_cache(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert inductor_folder(monkeypatch) == str(folder / "inductor")
    assert list((folder / "inductor").iterdir()) == []


def test_only_a_folder_that_the_user_has_chosen_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torchvision  # noqa: F401 - it loads the compiler, which sets the variable
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    assert inductor_folder(monkeypatch, default_cache_dir()) == str(folder / "inductor")
    assert inductor_folder(monkeypatch, "/of/the/user") == "/of/the/user"


def test_the_compilers_folder_may_begin_at_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Would catch a folder `~` in the working directory."""
    monkeypatch.setenv("HOME", "/home/a")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "~/ind")
    name_compile_folder_in_full()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "/home/a/ind"
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    name_compile_folder_in_full()
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ


def test_a_full_or_read_only_disk_under_the_cache_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mounted(tmp_path / "disk", "size=64k") as disk:
        monkeypatch.setenv("FMNIST_CACHE", str(disk / "cache"))
        assert inductor_folder(monkeypatch) is None
        write_cached("a.json", {"kept": True})
        write_cached("a.json", {"too large": "x" * 100_000})
        assert read_cached("a.json") == {"kept": True}
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert inductor_folder(monkeypatch) is None
        write_cached("a.json", {})
        assert read_cached("a.json") == {"kept": True}


def test_code_that_cannot_be_executed_is_kept_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would catch kernels that are compiled for half a minute and then cannot be loaded."""
    with mounted(tmp_path / "disk", "size=4m,noexec") as disk:
        monkeypatch.setenv("FMNIST_CACHE", str(disk / "cache"))
        assert inductor_folder(monkeypatch) is None
        if find_compiler():
            monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(disk))
            assert "executes files in TORCHINDUCTOR_CACHE_DIR" in str(why_no_compiler())
