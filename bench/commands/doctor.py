"""The command `doctor`: what this machine can do, and the remedy for what it cannot."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from bench.machine.compilers import cpu_has_bf16, find_compiler, why_no_compiler
from bench.machine.cores import threads_text, usable_cores
from bench.shell import say, write_out
from bench.sweep.request import Data
from data_pipeline import DataError, ensure_data
from results.text import format_bytes, format_count, format_latency

if TYPE_CHECKING:
    from bench.machine.ceilings import Ceilings
    from bench.machine.nvml import Gpu


def doctor(
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch the data if it is missing, and verify it.")
    ] = False,
    data: Data = None,
) -> None:
    """Tell what this machine can do, and the remedy for what it cannot."""
    is_well = True
    for diagnosis in examine(data, fetch=fetch):
        mark = "ok " if diagnosis.is_fine else "NO "
        write_out(f"{mark} {diagnosis.subject:<9} {diagnosis.text}\n")
        is_well = is_well and diagnosis.is_fine
    raise typer.Exit(0 if is_well else 2)


class Diagnosis(NamedTuple):
    """One line: the subject, whether what a benchmark needs of it is there, what was found."""

    subject: str
    is_fine: bool
    text: str


def examine(data: Path | None, *, fetch: bool) -> Iterator[Diagnosis]:
    """Look at everything that a benchmark needs, one diagnosis after the other."""
    version = sys.version_info
    is_new = version >= (3, 11)
    yield Diagnosis("Python", is_new, f"{version.major}.{version.minor} (3.11 or later)")
    try:
        found = ensure_data(data, fetch=fetch, say=say)
        text = f"{found.folder}, hash {found.data_hash}, {found.source}"
        yield Diagnosis("data", True, text)
    except DataError as error:
        yield Diagnosis("data", False, str(error))
    yield from _torch()
    lack = why_no_compiler()
    yield Diagnosis("compiler", True, f"{lack}; all else works" if lack else str(find_compiler()))
    free = shutil.disk_usage(Path.cwd()).free
    text = f"{free / 2**30:.1f} GiB free here; a sweep needs about 1"
    yield Diagnosis("disk", free > 1e9, text)


def _torch() -> Iterator[Diagnosis]:
    try:
        import torch
        import torchvision
    except (ImportError, RuntimeError) as error:  # the latter: wheels that do not fit
        yield Diagnosis("torch", False, f"{error}; run `make setup`")
        return
    build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "a CPU build"
    versions = f"{torch.__version__} ({build}), torchvision {torchvision.__version__}"
    yield Diagnosis("torch", True, versions)
    from bench.machine.environment import device_model
    from bench.machine.rapl import open_rapl

    bf16 = {
        None: "bf16 support unknown",
        True: "bf16 in hardware",
        False: "no bf16 in hardware: bf16 is slower than fp32 here",
    }[cpu_has_bf16()]
    cpu = device_model(torch.device("cpu"))
    cores = threads_text() or f"{usable_cores()} usable cores"
    yield Diagnosis("CPU", True, f"{cpu}, {cores}, {bf16}")
    counter, no_energy = open_rapl()
    yield Diagnosis("energy", True, f"CPU: {counter.energy_method if counter else no_energy}")
    yield from _gpus()
    yield from _ceilings()


def _gpus() -> Iterator[Diagnosis]:
    import torch

    from bench.machine.environment import device_model
    from bench.machine.nvml import open_gpu

    if not torch.cuda.is_available():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hint = f" (CUDA_VISIBLE_DEVICES={visible})" if visible is not None else ""
        yield Diagnosis("GPU", True, f"none visible{hint}: benchmarks run on the CPU")
        return
    for index in range(torch.cuda.device_count()):
        device = torch.device("cuda", index)
        gpu, no_nvml = open_gpu(device)
        sensors = _sensors(gpu) if gpu else no_nvml
        yield Diagnosis(f"GPU {index}", True, f"{device_model(device)}, {sensors}")


def _sensors(gpu: "Gpu") -> str:
    """UUID and everything that NVML tells at this moment."""
    from bench.machine.nvml import throttle_reasons

    reading = gpu.read()
    bits = reading.clock_event_reasons
    throttled = "unknown" if bits is None else ", ".join(throttle_reasons(bits)) or "nothing"
    counter = "does not answer" if gpu.energy_joules() is None else "answers"
    amounts = {
        "power cap": (gpu.power_cap_watts(), "W"),
        "power": (reading.power_w, "W"),
        "SM clock": (reading.sm_clock_mhz, "MHz"),
        "memory clock": (reading.memory_clock_mhz, "MHz"),
        "temperature": (reading.temperature_c, "C"),
    }
    told = [
        f"{name} unknown" if value is None else f"{name} {value:g} {unit}"
        for name, (value, unit) in amounts.items()
    ]
    return ", ".join([gpu.uuid, *told, f"throttled by {throttled}", f"energy counter {counter}"])


def _ceilings() -> Iterator[Diagnosis]:
    """What CPU and GPUs reach at best, measured now: a few seconds."""
    import torch

    from bench.machine.ceilings import renewed_ceilings
    from bench.machine.environment import describe_environment

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for device in (torch.device("cpu"), *(torch.device("cuda", i) for i in range(count))):
        ceilings = renewed_ceilings(device, describe_environment(device, data_hash=""))
        for subject, text in ceiling_texts(ceilings, device.type).items():
            name = "CPU" if device.type == "cpu" else f"GPU {device.index}"
            yield Diagnosis(subject, True, f"{name} {text}")


def ceiling_texts(ceilings: "Ceilings", device_kind: str) -> dict[str, str]:
    """The measured ceilings by what they bound, units scaled."""
    copies = [
        f"{format_count(rate)}B/s ({format_bytes(size)})"
        for size, rate in sorted(ceilings.copy_bytes_per_s.items())
    ]
    matmuls = [
        f"{name} {format_count(rate)}FLOP/s" for name, rate in ceilings.matmul_flops_per_s.items()
    ]
    what = "a node of a CUDA graph" if device_kind == "cuda" else "a dispatch"
    return {
        "copy": ", ".join(copies) or "unknown",
        "matmul": ", ".join(matmuls) or "unknown",
        "latency": f"{format_latency(ceilings.latency_s)} ({what})",
    }
