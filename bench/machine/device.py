"""Devices: which one a request means, and the process-wide switches that a run sets on it."""

import contextlib
import logging
import os
import re
import warnings
from collections.abc import Iterator

import torch

from bench.errors import RunError, UsageError
from bench.machine.cache import use_compile_cache
from bench.machine.compilers import why_no_compiler
from bench.machine.cores import usable_cores
from bench.machine.memory import keep_freed_memory
from bench.spec.plan import Plan
from bench.spec.run_spec import RunSpec


def pick_device(request: str) -> torch.device:
    """The device that `auto`, `cpu`, `cuda` or `cuda:N` means on this machine.

    Raises:
        UsageError: there is no such device here.
    """
    if request == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if request == "cpu":
        return torch.device("cpu")
    match = re.fullmatch(r"cuda(?::(\d{1,3}))?", request)
    if match is None:
        raise UsageError(f"unknown device {request!r}; choose auto, cpu or cuda:N")
    index = int(match.group(1) or 0)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= count:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        why = "" if visible is None else f" (CUDA_VISIBLE_DEVICES={visible})"
        seen = f"{count or 'no'} CUDA GPU{'s' if count > 1 else ''} visible{why}"
        if torch.version.cuda is None:
            seen += "; this torch is a CPU build, `make setup CUDA=1` installs the other"
        raise UsageError(f"no device cuda:{index}: {seen}; use --device cpu (GPU=cpu)")
    return torch.device("cuda", index)


def prepare_process(spec: RunSpec, device: torch.device) -> None:
    """Set allocator, compilers and precision of float32 matmuls of this process."""
    keep_freed_memory()
    prepare_compilers()
    if spec.plan is not None and spec.plan.is_compiled:
        import torch._inductor.config as inductor  # after its cache folder is settled

        inductor.deterministic = spec.is_deterministic  # else kernels are chosen by their timings
        # its own number knows of no quota, and is a process each
        inductor.compile_threads = min(inductor.compile_threads or 1, usable_cores())
    if device.type == "cuda":
        torch.cuda.set_device(device)  # graphs and streams are made on the current device
    is_tf32 = spec.recipe.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = is_tf32
    torch.backends.cudnn.allow_tf32 = is_tf32
    torch.backends.cudnn.benchmark = device.type == "cuda" and not spec.is_deterministic


def prepare_determinism(spec: RunSpec) -> None:
    """Have torch choose algorithms that give the same twice, or refuse where it has none.

    To be called before the device does any work.
    """
    torch.use_deterministic_algorithms(spec.is_deterministic)
    if spec.is_deterministic:  # else torch refuses matrix products on CUDA, on a second stream too
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def prepare_compilers() -> None:
    """Point torch's compilers at our cache, and silence warnings of no consequence."""
    use_compile_cache()
    # it warns, with a time stamp, of a CUDA toolkit without a GPU: no news on a CPU
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    # torch 2.11 warns that tf32 would be faster than fp32: which it is, the recipe says
    warnings.filterwarnings("ignore", "TensorFloat32 tensor cores")


@contextlib.contextmanager
def gpu_taken_on_trust() -> Iterator[None]:
    """Answer for torch that there is a GPU, as its compiler (2.11) asks when it is imported.

    To look (cuInit) would leave every child that is forked afterwards without one. Where there is
    none, to say yes only chooses how the compiler would time kernels on it.
    """
    look = torch.cuda.is_available
    torch.cuda.is_available = lambda: True
    try:
        yield
    finally:
        torch.cuda.is_available = look


def check_supported(spec: RunSpec, device: torch.device) -> None:
    """Raise RunError(`unsupported`) where this plan or precision cannot be had on the device."""
    plan = spec.plan or Plan()  # `auto` leaves out what cannot be had
    if plan.parallel == "dp" and (device.type != "cuda" or torch.cuda.device_count() < 2):
        raise RunError("unsupported", "plan dp needs at least two visible GPUs (GPU=0,1)")
    if plan.parallel == "dp" and spec.budget.unit == "J":
        raise RunError("unsupported", "a budget in joules is read from one GPU; leave plan dp out")
    if plan.graph_steps is not None and device.type != "cuda":
        raise RunError("unsupported", "plan graph:N captures CUDA graphs; on a CPU use step:N")
    if spec.recipe.precision == "tf32" and device.type != "cuda":
        raise RunError("unsupported", "precision tf32 exists on CUDA devices only; use fp32")
    if plan.is_compiled and device.type == "cpu" and (why := why_no_compiler()):
        raise RunError("unsupported", f"{why}; or leave {plan.mode} out of --plan")
