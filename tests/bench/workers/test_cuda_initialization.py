"""Which processes start the CUDA driver: children, whose context dies with them, and no other.

A driver that was started before a fork is unusable after it, so that nothing that the fork server
imports may look for a GPU. A library in the place of the driver's (`libcuda.so.1`), built here,
writes down who calls `cuInit`, so that no GPU is needed to see it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.machine.device import gpu_taken_on_trust
from tests.command_line import LIMIT_S, PLAN, REPOSITORY, environment, finish

LIBRARY = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cuInit(unsigned flags) {
  FILE *log = fopen(getenv("CUINIT_LOG"), "a");
  fprintf(log, "%d %d\n", getpid(), getppid());
  fclose(log);
  return 100; /* CUDA_ERROR_NO_DEVICE */
}

int cuDriverGetVersion(int *version) {
  *version = 13000;
  return 0;
}

int cuGetProcAddress_v2(const char *name, void **address, int version, unsigned long flags,
                        void *status) {
  *address = !strcmp(name, "cuInit") ? (void *)cuInit
             : !strcmp(name, "cuDriverGetVersion") ? (void *)cuDriverGetVersion
             : !strncmp(name, "cuGetProcAddress", 16) ? (void *)cuGetProcAddress_v2
             : 0;
  return *address ? 0 : 500; /* CUDA_ERROR_NOT_FOUND */
}
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a driver that tells of its start."""
    compiler = shutil.which("gcc")
    if compiler is None or torch.version.cuda is None:
        pytest.skip("needs gcc and a torch that was built for CUDA")
    folder = tmp_path_factory.mktemp("driver")
    (folder / "driver.c").write_text(LIBRARY, encoding="ascii")
    files = ["-o", str(folder / "libcuda.so.1"), str(folder / "driver.c")]
    subprocess.run([compiler, "-shared", "-fPIC", *files], check=True)
    return folder


@pytest.mark.slow
def test_neither_the_command_nor_its_fork_server_starts_the_driver(
    driver: Path, data_root: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    variables = {"LD_LIBRARY_PATH": str(driver), "CUINIT_LOG": str(log)}
    sweep = ("run", "--models", "v0", "--budget", "5steps", "--seeds", "2", *PLAN)
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *sweep, "--out", tmp_path / "run"],
        cwd=REPOSITORY,
        env=environment(data_root, hides_gpus=False) | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as command:
        assert command.wait(LIMIT_S) == 0
    starts = [line.split() for line in log.read_text("ascii").splitlines()]
    assert starts, "children start it"
    assert str(command.pid) not in {pid for pid, _ in starts}
    assert str(command.pid) not in {parent for _, parent in starts}, "its child: the fork server"


WATCHED = """
import sys
import torch

for name in ("_cuda_getDeviceCount", "_cuda_init"):
    looked = lambda *_, name=name: sys.stdout.write(f"{name} ")  # as torch asks CUDA
    setattr(torch._C, name, looked)
import bench.workers.preload
from bench.machine import provenance
knows_commit = provenance._source.cache_info().currsize == 1
sys.stdout.write("torch._inductor.compile_fx" in sys.modules and knows_commit and "all there")
"""


@pytest.mark.slow
def test_nothing_asks_cuda_whether_it_is_there() -> None:
    """Would catch imports left to each child, and git called by each."""
    done = finish(sys.executable, "-W", "ignore", "-c", WATCHED)
    assert (done.returncode, done.stdout) == (0, "all there"), done.stderr


def test_whoever_asks_while_a_compiler_is_imported_is_answered_without_a_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look() -> bool:
        raise AssertionError("this is cuInit, in the process that children are forked from")

    monkeypatch.setattr(torch.cuda, "is_available", look)
    with gpu_taken_on_trust():  # torch 2.11's benchmarking.py asks, 2.14's does not
        assert torch.cuda.is_available()
    assert torch.cuda.is_available is look
