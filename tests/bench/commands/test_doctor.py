"""The doctor: one finding a thing, with the remedy."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bench.commands import doctor
from bench.commands.doctor import Diagnosis, ceiling_texts, examine
from bench.machine import cache
from bench.machine.ceilings import Ceilings
from tests.bench.machine.nvml_by_hand import UUID, Nvml, NVMLError, replay

SEEN = Ceilings({2**20: 279.6e9, 64 * 2**20: 53.6e9}, {"fp32": 209.2e9, "bf16": 968.9e9}, 1.8e-6)


@pytest.fixture(autouse=True)
def _seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is measured, and the cache is an empty one."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr("bench.machine.ceilings.measure_ceilings", lambda _device: SEEN)


def examined(data: Path) -> dict[str, Diagnosis]:
    return {finding.subject: finding for finding in examine(data, fetch=False)}


def test_missing_data_is_not_fine_and_names_the_remedy(tmp_path: Path) -> None:
    findings = examined(tmp_path)
    assert {name for name, finding in findings.items() if not finding.is_fine} == {"data"}
    assert "doctor --fetch" in findings["data"].text
    assert findings.keys() >= {"Python", "data", "torch", "CPU", "compiler", "disk"}
    assert torch.__version__ in findings["torch"].text


def test_data_that_is_there_is_fine(data_root: Path) -> None:
    finding = examined(data_root)["data"]
    assert finding.is_fine
    assert "hash 1cb5a4cf9ef3" in finding.text


@pytest.mark.parametrize("name", ["torch", "torchvision"])
def test_a_missing_package_names_the_remedy(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    findings = examined(tmp_path)
    assert not findings["torch"].is_fine
    assert "make setup" in findings["torch"].text
    assert "disk" in findings


def test_no_compiler_is_told_but_not_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    finding = examined(tmp_path)["compiler"]
    assert finding.is_fine
    assert "g++" in finding.text


def test_a_full_disk_is_not_fine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=5 * 10**8))
    assert not examined(tmp_path)["disk"].is_fine


def test_without_a_gpu_the_line_says_what_hides_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert "none visible (CUDA_VISIBLE_DEVICES=7)" in examined(tmp_path)["GPU"].text


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    fake = Nvml()
    fake.install(monkeypatch)
    return fake


def gpu_lines() -> list[tuple[str, str]]:
    return [(finding.subject, finding.text) for finding in doctor._gpus()]


def test_a_gpu_has_a_line_with_all_that_nvml_tells(nvml: Nvml) -> None:
    nvml.event_reasons = replay(4 | 1 | 64)
    (subject, text), *others = gpu_lines()
    assert (subject, others) == ("GPU 0", [])
    assert text == (
        f"Fake H1, {UUID}, power cap 700 W, power 300 W, SM clock 1980 MHz, memory clock 2619 MHz, "
        "temperature 54 C, throttled by software power cap, hardware thermal, "
        "energy counter answers"
    )


def test_what_a_gpu_does_not_tell_is_unknown(nvml: Nvml) -> None:
    nvml.cap_mw = nvml.celsius = nvml.event_reasons = nvml.energy_mj = replay(None)
    ((_, text),) = gpu_lines()
    assert "power cap unknown, power 300 W" in text
    assert "temperature unknown, throttled by unknown, energy counter does not answer" in text
    nvml.event_reasons = replay(0)
    assert "throttled by nothing" in gpu_lines()[0][1]


def test_a_gpu_without_nvml_says_why(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise NVMLError("NVML Shared Library Not Found")

    monkeypatch.setattr(nvml, "nvmlInit", refuse)
    nvml.install(monkeypatch)
    assert gpu_lines() == [("GPU 0", "Fake H1, no NVML for cuda:0: NVML Shared Library Not Found")]


def test_the_ceilings_are_told_and_kept(tmp_path: Path) -> None:
    findings = examined(tmp_path)
    assert findings["copy"].text == "CPU 280 GB/s (1.00 MiB), 53.6 GB/s (64.0 MiB)"
    assert findings["matmul"].text == "CPU fp32 209 GFLOP/s, bf16 969 GFLOP/s"
    assert findings["latency"].text == "CPU 1.80 us (a dispatch)"
    assert len(list((tmp_path / "cache" / "ceilings").iterdir())) == 1
    assert ceiling_texts(SEEN, "cuda")["latency"] == "1.80 us (a node of a CUDA graph)"
