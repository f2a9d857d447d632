"""The environment of a run: the name of its processor, and threads fewer than its cores."""

import platform
from pathlib import Path

import pytest
import torch

from bench.machine import cores, environment
from bench.machine.environment import describe_environment, device_model


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (
            "processor\t: 0\nmodel name\t: AMD EPYC  7763 \nmodel name\t: another\n",
            "AMD EPYC  7763",
        ),
        ("model name\t: \nmodel name\t:\nflags\t\t: fpu\n", None),
        ("processor\t: 0\nBogoMIPS\t: 50.00\n", None),
        (None, None),
    ],
    ids=["first of several", "nameless", "of another architecture", "no such file"],
)
def test_a_processor_has_the_name_that_the_system_tells(
    cpuinfo: str | None, name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        path.write_text(cpuinfo, encoding="utf-8")
    monkeypatch.setattr(environment, "Path", lambda _path: path)
    expected = name or platform.processor() or platform.machine()
    assert device_model(torch.device("cpu")) == expected


@pytest.mark.parametrize(("said", "kept"), [("2", 2), ("8", None), ("", None)])
def test_fewer_threads_than_cores_are_another_environment(
    said: str, kept: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would catch runs on one thread and on two that make one row, the mean of both."""
    for module in (cores, environment):
        monkeypatch.setattr(module, "usable_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    found = describe_environment(torch.device("cpu"), "hash")
    assert found.get("num_threads") == kept
    assert ("num_threads" in found) == (kept is not None)  # older records stay comparable
