"""Cores and threads that this process may use. Needs no torch."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path("/")
THREADS = "OMP_NUM_THREADS"
MOUNTS = {  # of control groups by controller; version 2 names none, and may be mounted beside 1
    "": ("sys/fs/cgroup", "sys/fs/cgroup/unified"),
    "cpu": ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"),
    "memory": ("sys/fs/cgroup/memory",),
}


def usable_cores(root: Path = ROOT) -> int:
    """Count the cores that this process may run on, the quotas of a container included."""
    affine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = (_quota(folder) for folder in control_groups("cpu", root))
    return max(1, min([affine or 1, *(round(cores) for cores in quotas if cores is not None)]))


def default_threads() -> int:
    """Threads of work on the CPU where nobody names another number: usable cores, or fewer.

    OMP_NUM_THREADS may say fewer, as a scheduler or a user sets it to share a machine.
    """
    cores = usable_cores()
    said = re.match(r"\s*(\d{1,9})\s*(,|$)", os.environ.get(THREADS, ""), re.ASCII)
    return min(cores, (said and int(said[1])) or cores)


def threads_text() -> str:
    """Say that a variable leaves cores unused; empty where none does."""
    threads, cores = default_threads(), usable_cores()
    return f"{threads} of {cores} usable cores, as {THREADS} says" if threads < cores else ""


def control_groups(controller: str, root: Path = ROOT) -> Iterator[Path]:
    """Yield the folders of this process's control group and of those that it lies in.

    Version 2 comes first, then 1. A container may see its own group as the root of a mount, under
    another name than the kernel tells, so that some of the folders do not exist.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    for controllers, group in sorted(
        line.split(":", 2)[1:] for line in groups if line.count(":") > 1
    ):
        for name in {"", controller} & set(controllers.split(",")):
            for mount in MOUNTS[name]:
                own = Path(group.lstrip("/"))
                yield from (root / mount / folder for folder in (own, *own.parents))


def _quota(folder: Path) -> float | None:
    """Cores whose time a control group may use; None for no limit."""
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (
            (folder / f"cpu.cfs_{name}_us").read_text(encoding="ascii")
            for name in ("quota", "period")
        )
        return int(quota) / int(period) if int(quota) > 0 else None
    return None
