"""The memory limit of a process: `--max-memory-gb`."""

import contextlib
import resource
from pathlib import Path

STATUS = Path("/proc/self/status")
GB = 10**9


def limit_memory(max_bytes: int) -> None:
    """Limit this process from here on.

    What counts is what it alone has and may write (heap, anonymous mappings, stacks), not address
    space: what CUDA reserves is free. Memory that processes share does not count. Each process
    that is started from here has the limit for itself, not all of them together.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (max_bytes, max_bytes))


def memory_in_use() -> int | None:
    """Bytes that count towards the limit; None where the system does not tell."""
    with contextlib.suppress(OSError, ValueError):
        return status_bytes("VmData")
    return None


def status_bytes(key: str) -> int:
    """A figure of proc(5)'s status of this process.

    Raises:
        OSError: there is none.
    """
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{STATUS} has no {key}")


def memory_limit() -> int | None:
    """The limit of this process in bytes; None for none."""
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if limit == resource.RLIM_INFINITY else limit


def limit_text(max_memory_bytes: int) -> str:
    """The limit for a reason."""
    return f"its memory was limited to {max_memory_bytes / GB:g} GB (--max-memory-gb)"
