"""Whole gates on real commits of this repository: each kind of damage is caught and named."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bench.gate.gate_by_hand import git
from tests.command_line import REPOSITORY

pytestmark = pytest.mark.slow
LIMIT_S = 3600.0
TINY = "fmnist_models/families/tiny.py"
SECOND_CONVOLUTION = """        nn.Conv2d(10, 10, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),  # (B, 10, 14, 14)
"""
NOSY = '''

class Nosy(nn.Module):
    """Counts its calls: a number that torch.compile has to ask for anew."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x + 0 * self.calls
'''
HOARDER = '''

class Hoarder(nn.Module):
    """Keeps what it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.hoard = []

    def forward(self, x):
        self.hoard.append(x.detach().clone())
        return x
'''
Gate = Callable[..., tuple[int, list[dict[str, Any]]]]


def replace(old: str, new: str) -> Callable[[str], str]:
    """An edit of a text that holds `old` as often as it should."""

    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


def add_layer(code: str, layer: str) -> Callable[[str], str]:
    """An edit that puts a layer in front of V2's first pooling."""
    put = replace(
        SECOND_CONVOLUTION,
        SECOND_CONVOLUTION.replace("nn.MaxPool2d", f"{layer}(),\n        nn.MaxPool2d"),
    )
    return lambda text: put(text) + code


@pytest.fixture
def gate(tmp_path: Path, data_root: Path) -> Gate:
    """Commits an edit of one file to a clone, and gives the exit code and findings of its gate."""

    def hold(
        path: str, edit: Callable[[str], str], checks: str
    ) -> tuple[int, list[dict[str, Any]]]:
        clone = tmp_path / "clone"
        git(tmp_path, "clone", "-q", str(REPOSITORY), str(clone))
        file = clone / path
        file.write_text(edit(file.read_text(encoding="utf-8")), encoding="utf-8")
        git(clone, "commit", "-q", "-a", "-m", "some change")
        options = ["--base", "HEAD~1", "--models", "v2", "--checks", checks, "--device", "cpu"]
        done = subprocess.run(
            [sys.executable, "-m", "bench", "gate", *options, "--out", tmp_path / "out"],
            cwd=clone,
            env=os.environ | {"FMNIST_DATA": str(data_root.resolve()), "PYTHONPATH": str(clone)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        verdict = json.loads((tmp_path / "out" / "verdict.json").read_bytes())
        assert done.returncode == verdict["exit_code"], done.stderr
        return done.returncode, verdict["findings"]

    return hold


def worse(findings: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """What is worse: row and quantity."""
    return {(f["model"], f["quantity"]) for f in findings if f["outcome"] == "worse"}


def test_an_extra_convolution_is_slower_and_dearer(gate: Gate) -> None:
    twice = replace(
        SECOND_CONVOLUTION,
        SECOND_CONVOLUTION.replace(
            "        nn.MaxPool2d",
            "        nn.Conv2d(10, 10, 5, padding=2),\n        nn.ReLU(),\n        nn.MaxPool2d",
        ),
    )
    code, findings = gate(TINY, twice, "counts,speed")
    assert code == 1
    assert {("v2", "FLOPs a step"), ("v2", "parameters"), ("v2", "seconds a step")} <= worse(
        findings
    )
    flops = next(f for f in findings if f["quantity"] == "FLOPs a step")
    assert flops["change"] > 1.0


def test_a_recompilation_is_named(gate: Gate) -> None:
    code, findings = gate(TINY, add_layer(NOSY, "Nosy"), "counts")
    assert code == 1
    assert any(row == "v2, plan compile" and "graphs" in what for row, what in worse(findings))


def test_two_points_of_accuracy_are_missed(gate: Gate) -> None:
    peak = "peak, warmup = recipe.learning_rate or 0.0, recipe.warmup_fraction"
    slower = replace(peak, peak.replace("or 0.0", "* 0.07"))
    code, findings = gate("bench/train/schedule.py", slower, "quality")
    assert code == 1
    assert worse(findings) == {("v2", "validation accuracy")}


def test_a_leak_is_named(gate: Gate) -> None:
    code, findings = gate(TINY, add_layer(HOARDER, "Hoarder"), "counts,quality")
    assert code == 1
    assert {("v2", "bytes kept from step to step"), ("v2", "peak memory")} <= worse(findings)
    assert ("v2", "validation accuracy") not in worse(findings)


def test_a_change_of_the_documentation_passes(gate: Gate) -> None:
    code, findings = gate(
        "README.md", lambda text: f"{text}\nOne line more.\n", "counts,speed,quality"
    )
    assert code == 0, findings
    assert {f["outcome"] for f in findings} == {"same"}
