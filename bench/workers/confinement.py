"""What a child sets for itself first, so that it harms nobody and ends in time.

It leads a session of its own, whose group is killed with it; what has left that group is handed to
the fork server (a *subreaper*) when its parents die, where `isolation` finds it. Where the sweep
itself is killed with SIGKILL nobody looks there: the child ends, what has left its group lives on.
When memory runs out, the kernel kills a child before its parent.
"""

import contextlib
import ctypes
import io
import os
import signal
import sys
from pathlib import Path

from bench.machine.memory_limit import limit_memory

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
OOM_SCORE = Path("/proc/self/oom_score_adj")
MORE_LIKELY, MOST_LIKELY = 500, 1000  # half of the machine's memory on top of its own


def settle_in(max_memory_bytes: int | None = None) -> None:
    """Leave Ctrl-C to the parent and stdout to results; die with the fork server."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # it leads a group already
        os.setsid()
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    adopt_orphans()
    go_first()
    if max_memory_bytes is not None:
        limit_memory(max_memory_bytes)
    os.dup2(2, 1)  # stdout is for results; a user's model may print
    if isinstance(sys.stdout, io.TextIOWrapper):  # at once: the child may be killed
        sys.stdout.reconfigure(line_buffering=True)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent has died."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(option, value)


def go_first(path: Path = OOM_SCORE) -> None:
    """Have the kernel kill this process, and what it starts, before its parent."""
    with contextlib.suppress(OSError, ValueError):  # no Linux, or a sandbox
        score = int(path.read_text(encoding="ascii"))
        path.write_text(str(min(score + MORE_LIKELY, MOST_LIKELY)), encoding="ascii")


def leave() -> None:
    """End this process, and what it has started in its own group, at once."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
