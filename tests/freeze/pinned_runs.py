"""Runs whose arithmetic depends on the machine as little as can be, in processes of their own."""

import os
import sys
from pathlib import Path

from tests.command_line import CPU, REPOSITORY, environment, finish

LIMIT_S = 1200.0
PINNED = {  # instructions that every x86-64 machine of the last ten years has
    "ATEN_CPU_CAPABILITY": "avx2",  # of Inductor's code, too
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
    "OMP_NUM_THREADS": str(os.cpu_count()),  # fewer than cores would be told in every record
    # Inductor finds a graph again whatever the width of vectors: code for eight lanes, compiled for
    # sixteen, writes beyond its buffers. So this code lies apart from that of all other tests.
    "TORCHINDUCTOR_CACHE_DIR": str(REPOSITORY / ".cache" / "pinned"),
}


def run_pinned(
    data_root: Path, *arguments: str | Path, exit_code: int = 0, **variables: str
) -> None:
    """Runs `fmnist-bench run` on few images to its end: deterministic, in one process, on a CPU."""
    options = (*CPU, "--in-process", "--deterministic", *map(str, arguments))
    command = (sys.executable, "-m", "tests.freeze.few_images", "run")
    env = environment(data_root) | PINNED | variables
    finished = finish(*command, *options, env=env, timeout=LIMIT_S)
    assert finished.returncode == exit_code, finished.stdout + finished.stderr
