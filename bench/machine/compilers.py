"""Compilers: which one there is, what the CPU can do, and what torch's have done in this process.

Compiling belongs before the clock. A compilation inside it (a shape or stride that the warm-up did
not meet) or a graph break makes a training slower without changing its result, so they are counted
and recorded. CUDA graphs are captured by hand, and a capture checks itself (`cuda_graph.py`).
"""

import operator
import os
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

NO_COMPILER = "torch.compile needs a C++ compiler: install g++, or name one in CXX"


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
    return os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")


def cpu_has_bf16() -> bool | None:
    """True where this CPU computes in bf16; None where the system does not tell."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return None
    return bool(flags & {"avx512_bf16", "amx_bf16"})
