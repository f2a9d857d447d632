"""The environment that runs must share to be compared, and the conditions around them."""

import contextlib
import os
import platform
import re
from pathlib import Path
from typing import Any

import torch

from bench.machine.cores import default_threads, usable_cores
from bench.machine.nvml import open_gpu


def describe_environment(device: torch.device, data_hash: str) -> dict[str, Any]:
    """Everything that two runs must share to be compared, as JSON values.

    `num_threads` is there only where a variable leaves cores of a CPU unused.
    """
    gpu, _ = open_gpu(device)
    threads, cores = default_threads(), usable_cores()
    leaves_cores = device.type == "cpu" and threads < cores
    return {
        "device_kind": device.type,
        "device": device_model(device),
        "num_cores": cores,
        **({"num_threads": threads} if leaves_cores else {}),
        "power_cap_w": gpu.power_cap_watts() if gpu else None,
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "cudnn": torch.backends.cudnn.version() if device.type == "cuda" else None,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "data_hash": data_hash,
    }


def describe_conditions(device: torch.device) -> dict[str, Any]:
    """Load and identity of the hardware at this moment; flagged, never a reason to refuse."""
    conditions: dict[str, Any] = {
        "load_average_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        **threads_set(),
    }
    if device.type == "cuda":
        conditions["gpu_uuid"] = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    return conditions


def threads_set() -> dict[str, int]:
    """The condition that a plan sets: threads of this process."""
    return {"num_threads": torch.get_num_threads()}


def device_model(device: torch.device) -> str:
    """Name of the GPU or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        if found := re.search(r"^model name[^:\n]*:[ \t]*(\S.*)", text, re.MULTILINE):
            return found.group(1).rstrip()
    return platform.processor() or platform.machine()
