"""What makes runs comparable (environment), and what merely surrounded them (conditions)."""

import os
import platform
from pathlib import Path
from typing import Any

import torch

from bench.machine.device import usable_cores
from bench.machine.nvml import Gpu, open_gpu


def describe_environment(device: torch.device, data_hash: str) -> dict[str, Any]:
    """Everything that two runs must share to be compared, as JSON values.

    Args:
        device: where the run happens.
        data_hash: of the four data files.
    """
    gpu, _ = open_gpu(device)
    return {
        "device_kind": device.type,
        "device": device_model(device),
        "num_cores": usable_cores(),
        "power_cap_w": power_cap_w(gpu),
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
        "num_threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        conditions["gpu_uuid"] = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    return conditions


def device_model(device: torch.device) -> str:
    """Name of the GPU or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _cpu_model() or platform.processor() or platform.machine()


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    names = (line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line)
    return next(names, "")


def power_cap_w(gpu: Gpu | None) -> float | None:
    """The power limit that the driver enforces, in watts; None where there is none to read."""
    return gpu.power_cap_watts() if gpu else None
