"""Where a record comes from: commit, state of the work tree, version, time. Needs no torch."""

import hashlib
import os
import re
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bench", "data_pipeline", "fmnist_models")
COMMIT = "FMNIST_COMMIT"  # tells of a copy that left its .git behind where it comes from
DIRTY = "-dirty"


def describe_provenance() -> dict[str, Any]:
    """Commit, dirty flag, source hash, version and UTC time.

    Outside a git checkout the commit is what $FMNIST_COMMIT says, in the words of `git describe
    --always --abbrev=40 --exclude='*' --dirty`, or else None.
    """
    return {**_source(), "time_utc": datetime.now(UTC).isoformat(timespec="seconds")}


@cache
def _source() -> dict[str, Any]:
    commit, status = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "-uno")
    is_dirty = None if commit is None or status is None else bool(status)
    told = os.environ.get(COMMIT, "")
    if commit is None and re.fullmatch(rf"[0-9a-f]{{40}}({DIRTY})?", told):
        commit, is_dirty = told.removesuffix(DIRTY), told.endswith(DIRTY)
    return {
        "commit": commit,
        "dirty": is_dirty,
        "source_hash": source_hash(),
        "harness_version": harness_version(),
    }


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


def _git(*arguments: str) -> str | None:
    # a `git status` that is killed as it refreshes the index would leave its lock behind
    command = ["git", "--no-optional-locks", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
