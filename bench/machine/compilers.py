"""Compilers: which one there is, what the CPU can do, and what torch's have done in this process.

Compiling belongs before the clock. A compilation inside it (a shape or stride that the warm-up did
not meet) or a graph break makes a training slower without changing its result, so they are counted
and recorded. CUDA graphs are captured by hand, and a capture checks itself (`cuda_graph.py`).
"""

import operator
import os
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench.machine.cache import OF_COMPILERS, compile_folder, executes

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


def why_no_compiler() -> str | None:
    """Say in one line why torch.compile cannot work here, and the remedy; None where it can.

    Lines with the headers that it includes are compiled, once a process.
    """
    compiler = find_compiler() or ""
    command = compiler.split()  # `ccache g++`
    if not command or not shutil.which(command[0]):
        return f"{NO_COMPILER} ({compiler} is none)" if compiler else NO_COMPILER
    return _try_compiler(compiler, compile_folder()) if sys.platform == "linux" else None


@cache
def _try_compiler(compiler: str, folder: Path) -> str | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not executes(folder):
            return f"torch.compile cannot use {folder} (mounted noexec); {NO_LOADING}"
        with TemporaryDirectory(prefix=".trial-", dir=folder) as trial:
            flags = ["-std=c++17", "-shared", "-fPIC", f"-I{sysconfig.get_path('include')}"]
            command = [*compiler.split(), *flags, "-x", "c++", "-", "-o", f"{trial}/trial.so"]
            done = subprocess.run(
                command,
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
    return None


def cpu_has_bf16() -> bool | None:
    """True where this CPU computes in bf16; None where the system does not tell."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return None
    return bool(flags & {"avx512_bf16", "amx_bf16"})
