"""Hashes of the files that a configuration depends on and no commit holds."""

import errno
import hashlib
from pathlib import Path

from bench.errors import UsageError


def file_hash(model: str) -> str | None:
    """Return 12 hex digits over a user's model file; None for other models."""
    file, _, _ = model.rpartition(":")
    if not file.endswith(".py"):
        return None
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12]


def weights_hash(weights: str) -> str | None:
    """Return 12 hex digits over a file to start from; None for other weights.

    Raises:
        UsageError: there is no such file.
    """
    if weights in {"random", "imagenet"}:
        return None
    path = Path(weights)
    try:
        if path.exists() and not path.is_file():  # a pipe or a device may never end
            raise OSError(errno.EINVAL, "it is no file")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError as error:
        raise UsageError(
            f"cannot read weights {weights}: {error.strerror}; choose random, imagenet or a file"
        ) from None
