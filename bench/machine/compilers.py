"""Compilers: which one there is, what the CPU can do, and what torch's have done in this process.

Compiling belongs before the clock. A compilation inside it (a shape or stride that the warm-up did
not meet) or a graph break makes a training slower without changing its result, so they are counted
and recorded. CUDA graphs are captured by hand, and a capture checks itself (`cuda_graph.py`).
"""

import hashlib
import json
import operator
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench.machine.cache import OF_COMPILERS, compile_folder, executes, read_cached, write_cached

NO_COMPILER = "torch.compile needs a C++ compiler: install g++, or name one in CXX"
NO_HEADERS = "install what it includes; on Debian: apt-get install g++ python3-dev"
NO_LOADING = f"name a folder that takes and executes files in {OF_COMPILERS}"
INCLUDED = (
    "#include <Python.h>\n#include <omp.h>\n#include <array>\n"  # by all that Inductor writes
)
TRIAL_S = 60.0


class CompileCounts(NamedTuple):
    """Events since the process began."""

    compilations: int = 0  # graphs given to a compiler, whole steps and recompilations included
    cache_misses: int = 0  # of these, graphs whose code was not in the cache on disk
    graph_breaks: int = 0  # places where torch.compile went back to Python

    def since(self, earlier: "CompileCounts") -> "CompileCounts":
        """The events between two readings."""
        return CompileCounts(*map(operator.sub, self, earlier))


def compile_counts() -> CompileCounts:
    """The counters now; all zero where no compiler has been loaded."""
    dynamo: Any = sys.modules.get("torch._dynamo.utils")
    if dynamo is None:
        return CompileCounts()
    return CompileCounts(
        compilations=dynamo.counters["aot_autograd"]["total"],
        cache_misses=dynamo.counters["inductor"]["fxgraph_cache_miss"],
        graph_breaks=sum(dynamo.counters["graph_break"].values()),
    )


def find_compiler() -> str | None:
    """The C++ compiler that torch.compile would use on a CPU."""
    usual = "clang++" if sys.platform == "darwin" else "g++"
    return os.environ.get("CXX") or shutil.which(usual)


def why_no_compiler(device_kind: str = "cpu") -> str | None:
    """Say in one line why torch.compile cannot work here, and the remedy; None where it can.

    For a CPU, lines with the headers that it includes are compiled, once a process. That it worked
    is kept in the cache. Code for CUDA does without some of these headers.
    """
    compiler = find_compiler() or ""
    command = compiler.split()  # `ccache g++`
    if not command or not shutil.which(command[0]):
        return f"{NO_COMPILER} ({compiler} is none)" if compiler else NO_COMPILER
    if sys.platform != "linux" or device_kind == "cuda":
        return None
    return _try_compiler(compiler, compile_folder())


@cache
def _try_compiler(compiler: str, folder: Path) -> str | None:
    include = sysconfig.get_path("include")
    flags = ["-std=c++17", "-shared", "-fPIC", f"-I{include}", "-x", "c++", "-"]
    command = [*compiler.split(), *flags]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not executes(folder):
            return f"torch.compile cannot use {folder} (mounted noexec); {NO_LOADING}"
        name = _trial_name(command, folder, Path(include, "Python.h"))
        if read_cached(name):
            return None
        with TemporaryDirectory(prefix=".trial-", dir=folder) as trial:
            done = subprocess.run(
                [*command, "-o", f"{trial}/trial.so"],
                input=INCLUDED,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TRIAL_S,
                check=False,
            )
            if done.returncode:
                lines = done.stderr.splitlines() or ["it says nothing"]
                why = next((line for line in lines if "error" in line), lines[-1])
                return f"torch.compile needs what {compiler} cannot compile ({why}); {NO_HEADERS}"
    except (OSError, subprocess.SubprocessError) as error:
        return f"torch.compile cannot use {folder} ({error}); {NO_LOADING}"
    write_cached(name, {"command": command, "folder": str(folder)})
    return None


def _trial_name(command: Sequence[str], folder: Path, header: Path) -> str:
    """Name the file in the cache that says that a compiler, as it is now, has worked."""
    programs = [Path(found).resolve() for word in command if (found := shutil.which(word))]
    times = [(str(p), p.stat().st_mtime_ns) for p in (*programs, header) if p.exists()]
    parts = [INCLUDED, command, str(folder), times]
    return f"compilers/{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]}.json"


def cpu_has_bf16() -> bool | None:
    """True where this CPU computes in bf16; None where the system does not tell."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return None
    return bool(flags & {"avx512_bf16", "amx_bf16"})
