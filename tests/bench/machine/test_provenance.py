"""Where a record comes from."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.machine import provenance
from bench.machine.provenance import commit_unknown, describe_provenance, source_hash
from tests.command_line import git


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stands for the checkout; nothing is remembered from before or afterwards."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "a.py").write_text("x = 1\n", encoding="utf-8")
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    provenance._source.cache_clear()
    provenance._commit.cache_clear()


def test_outside_a_checkout_the_commit_is_unknown(folder: Path) -> None:
    found = describe_provenance()
    assert (found["commit"], found["dirty"]) == (None, None)
    assert len(found["source_hash"]) == 12
    time = datetime.fromisoformat(found["time_utc"])
    assert abs((datetime.now(UTC) - time).total_seconds()) < 5


def test_without_git_the_commit_is_unknown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert describe_provenance()["commit"] is None
    assert str(commit_unknown()).endswith(
        ": there is no git on the PATH; without git, FMNIST_COMMIT may tell it"
    )


def test_git_is_the_users_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would catch a commit of the repository whose hook we run in, or `null` without a word."""
    git(folder, "init", "-q")
    assert "did not match any file(s) known to git" in str(commit_unknown())
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    monkeypatch.setenv("GIT_DIR", "/another")
    forget()
    assert commit_unknown() is None
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    forget()
    assert "dubious ownership" in str(commit_unknown())
    assert describe_provenance()["commit"] is None
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(folder))
    forget()
    assert commit_unknown() is None


def test_the_checkout_around_an_installed_copy_is_not_taken_for_its_own(folder: Path) -> None:
    """Would catch the commit of a project in whose .venv the package is installed."""
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("/bench/", encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    assert describe_provenance()["commit"] is None


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("a" * 40, ("a" * 40, False)),
        ("a" * 40 + "-dirty", ("a" * 40, True)),
        ("main", (None, None)),
    ],
)
def test_a_copy_without_git_is_told_its_commit(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    told: str,
    found: tuple[str | None, bool | None],
) -> None:
    monkeypatch.setenv("FMNIST_COMMIT", told)
    provenance = describe_provenance()
    assert (provenance["commit"], provenance["dirty"]) == found


def test_commit_and_dirty_flag_are_git_s(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    assert describe_provenance()["commit"] == git(folder, "rev-parse", "HEAD")
    assert describe_provenance()["dirty"] is False
    # a newer time alone would have git write its index anew, under a lock that a kill leaves behind
    index = (folder / ".git" / "index").read_bytes()
    os.utime(folder / "bench" / "a.py", (2e9, 2e9))
    forget()
    assert describe_provenance()["dirty"] is False
    assert (folder / ".git" / "index").read_bytes() == index
    (folder / "bench" / "a.py").write_text("x = 2\n", encoding="utf-8")
    forget()
    assert describe_provenance()["dirty"] is True


def test_the_source_hash_follows_content_and_name_in_all_folders(folder: Path) -> None:
    path = folder / "bench" / "a.py"
    hashes = [source_hash()]
    assert source_hash() == hashes[0]
    path.write_text("x = 2\n", encoding="utf-8")
    hashes.append(source_hash())
    path.rename(folder / "bench" / "b.py")
    hashes.append(source_hash())
    (folder / "bench" / "engine").mkdir()
    (folder / "bench" / "engine" / "a.py").write_text("x = 1\n", encoding="utf-8")
    hashes.append(source_hash())
    (folder / "tests.py").write_text("no source of a training\n", encoding="utf-8")
    assert source_hash() == hashes[-1]
    assert len(set(hashes)) == 4
