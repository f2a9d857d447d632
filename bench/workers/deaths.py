"""How a child died: its exit code, and whether the kernel took it for want of memory."""

import contextlib
import signal
from pathlib import Path

from bench.errors import RunError
from bench.machine.cores import ROOT, control_groups
from bench.machine.memory_limit import limit_text

LOST = 255  # multiprocessing's exit code of a child whose fork server is gone
# what a program dies of that cannot have the memory it asks for
FOR_WANT_OF_MEMORY = {-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, 1}
COUNTERS = ("memory.events", "memory.oom_control")  # of control groups in versions 2 and 1
TAKEN = "the kernel killed the process for want of memory; use a smaller batch_size"


def describe_exit(code: int | None) -> str | None:
    """Describe an exit code in one line; None for a clean end."""
    if not code:
        return None
    if code > 0:
        return f"the process exited with code {code}"
    name = signal.Signals(-code).name if -code in {*signal.Signals} else str(-code)
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"the process was killed by {name}{hint}"


def explain_death(
    code: int | None, *, was_taken: bool = False, max_memory_bytes: int | None = None
) -> RunError:
    """Make the error of a run whose process ended without a result.

    `was_taken`: the kernel has killed some process for want of memory meanwhile.
    """
    if code in {-signal.SIGKILL, LOST} and was_taken:
        return RunError("out_of_memory", TAKEN)
    if code == LOST:
        return RunError("crashed", "the fork server died (or the process exited with code 255)")
    reason = describe_exit(code) or "the process ended without a result"
    if max_memory_bytes is not None and code in FOR_WANT_OF_MEMORY:
        reason += f"; {limit_text(max_memory_bytes)}, which may be why"
    return RunError("crashed", reason)


def count_oom_kills(root: Path = ROOT) -> int | None:
    """Count the processes that the kernel has killed for want of memory.

    In this process's own control group (version 2, then 1), else on the whole machine; None where
    neither is known.
    """
    groups = control_groups("memory", root)
    counters = (folder / name for folder in groups for name in COUNTERS)
    for path in (*counters, root / "proc/vmstat"):
        with contextlib.suppress(OSError, ValueError):
            for line in path.read_text(encoding="ascii").splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return None
