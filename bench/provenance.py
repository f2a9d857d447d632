"""Where a record comes from: commit, state of the work tree, version, time. Needs no torch."""

import hashlib
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("bench", "data_pipeline", "fmnist_models")


def describe_provenance() -> dict[str, Any]:
    """Commit (None outside a git checkout), dirty flag, source hash, version and UTC time."""
    return {**_source(), "time_utc": datetime.now(UTC).isoformat(timespec="seconds")}


@cache
def _source() -> dict[str, Any]:
    status = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if status is None else bool(status),
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
    for path in sorted(path for name in PACKAGES for path in (ROOT / name).glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
