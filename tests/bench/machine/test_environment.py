"""The environment of a run: the name of its processor."""

import platform
from pathlib import Path

import pytest
import torch

from bench.machine import environment
from bench.machine.environment import device_model


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
