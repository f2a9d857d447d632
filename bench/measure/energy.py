"""What a run reports of its GPU: energy, idling, the energy above it, clocks and throttling."""

import statistics
import time
from collections.abc import Callable

import torch

from bench.machine.clock import make_clock
from bench.machine.meters import Meters
from bench.machine.nvml import Gpu, open_gpu
from bench.measure.findings import Findings

SETTLE_S = 0.5  # rest before the readings: some sensors average over what was before
READING_S = 0.05
NUM_READINGS = 10

IdlePower = tuple[float | None, str]
"""Watts, or None and the reason."""


def measure_idle_power(device: torch.device) -> IdlePower:
    """Power of the GPU while it has nothing to do; takes about a second, on CUDA only."""
    gpu, no_nvml = open_gpu(device)
    if gpu is None:
        return None, no_nvml
    make_clock(device).synchronize()
    return idle_power_w(gpu, time.sleep)


def idle_power_w(gpu: Gpu, sleep: Callable[[float], None]) -> IdlePower:
    """The median of some power readings: somebody else's short burst leaves it alone."""
    sleep(SETTLE_S)
    watts = []
    for _ in range(NUM_READINGS):
        sleep(READING_S)
        watts.append(gpu.read().power_w)
    known = [value for value in watts if value is not None]
    return (statistics.median(known), "") if known else (None, "this GPU tells no power")


def report_gpu(meters: Meters, idle: IdlePower, findings: Findings) -> None:
    """Energy, idle power and conditions of a training; the raw readings among the samples."""
    has_nvml = meters.gpu is not None or meters.sampler is not None
    report_energy(meters, idle if has_nvml else (None, meters.no_energy), findings)
    sampler = meters.sampler
    if sampler is None:
        return
    findings.conditions |= sampler.conditions()
    findings.samples |= sampler.samples()
    if sampler.throttled_by():
        findings.flags.append("throttled")


def report_energy(meters: Meters, idle: IdlePower, findings: Findings) -> None:
    """Joules of the windows, watts of idling, and the joules that idling would not have cost."""
    joules, no_energy = meters.energy_j()
    watts, no_idle = idle
    above = None if joules is None or watts is None else joules - watts * meters.seconds
    findings.add("energy", _rounded(joules), no_energy)
    findings.add("idle_power", _rounded(watts), no_idle)
    findings.add("energy_above_idle", _rounded(above), no_energy or no_idle)
    findings.conditions["energy_method"] = None if joules is None else meters.energy_method


def _rounded(value: float | None) -> float | None:
    """To NVML's own millijoules and milliwatts: a record is at most 4 KB."""
    return None if value is None else round(value, 3)
