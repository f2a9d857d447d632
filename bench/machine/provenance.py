"""Where a record comes from: commit, state of the work tree, version, time. Needs no torch."""

import hashlib
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.git import GitError, git

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bench", "data_pipeline", "fmnist_models")
COMMIT = "FMNIST_COMMIT"  # tells of a copy that left its .git behind where it comes from
DIRTY = "-dirty"
GIT_S = 10.0


def describe_provenance() -> dict[str, Any]:
    """Commit, dirty flag, source hash, version and UTC time.

    Outside a git checkout the commit is what $FMNIST_COMMIT says, in the words of `git describe
    --always --abbrev=40 --exclude='*' --dirty`, or else None.
    """
    return {**_source(), "time_utc": datetime.now(UTC).isoformat(timespec="seconds")}


@cache
def _source() -> dict[str, Any]:
    commit, is_dirty, _ = _commit()
    return {
        "commit": commit,
        "dirty": is_dirty,
        "source_hash": source_hash(),
        "harness_version": harness_version(),
    }


def commit_unknown() -> str | None:
    """Say in one line why the commit of this code is unknown; None where it is known."""
    _, _, why = _commit()
    return f"the commit of this code is unknown, in the records too: {why}" if why else None


@cache
def _commit() -> tuple[str | None, bool | None, str]:
    """Return the commit and whether files differ from it, or None twice and the reason."""
    told = os.environ.get(COMMIT, "")
    try:
        # a copy may lie in the checkout of another project, which ignores it
        git(ROOT, "ls-files", "--error-unmatch", PACKAGES[0], timeout_s=GIT_S)
        commit = git(ROOT, "rev-parse", "HEAD", timeout_s=GIT_S)
    except GitError as error:
        why = f"{error}; without git, {COMMIT} may tell it"
    else:
        with suppress(GitError):
            return commit, bool(git(ROOT, "status", "--porcelain", "-uno", timeout_s=GIT_S)), ""
        return commit, None, ""
    if re.fullmatch(rf"[0-9a-f]{{40}}({DIRTY})?", told):
        return told.removesuffix(DIRTY), told.endswith(DIRTY), ""
    return None, None, f"{COMMIT} is no commit in full: {told!r}" if told else why


def harness_version() -> str | None:
    """Version of the installed distribution; None when run from a bare checkout."""
    try:
        return version("fmnist-bench")
    except PackageNotFoundError:
        return None


def source_hash() -> str:
    """12 hex digits over the sources that take part in a training."""
    digest = hashlib.sha256()
    for path in sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
