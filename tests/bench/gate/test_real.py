"""Whole gates on real commits of this repository: each kind of damage is caught and named."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.counts.baseline import EPOCHS, FILE, Baseline, stack_of
from tests.command_line import REPOSITORY, finish, git

pytestmark = pytest.mark.slow
LIMIT_S = 3600.0
TINY = "fmnist_models/families/tiny.py"
POOLING = "        nn.MaxPool2d(2),  # (B, 10, 14, 14)\n"
DAMAGE = f"""\
        nn.Conv2d(10, 10, 5, padding=2),
        Nosy(),
        Hoarder(),
{POOLING}"""
SLOW_TO_LEARN = "peak, warmup = recipe.learning_rate or 0.0, recipe.warmup_fraction"
LAYERS = '''

class Nosy(nn.Module):
    """Counts its calls: a number that torch.compile has to ask for anew."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x + 0 * self.calls


class Hoarder(nn.Module):
    """Keeps what it is trained on, four times: some MB a step, so that a few steps show it."""

    def __init__(self) -> None:
        super().__init__()
        self.hoard = []

    def forward(self, x):
        if self.training:
            self.hoard.append(x.detach().repeat(4, 1, 1, 1))
        return x
'''


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of this repository whose gate takes fewer pairs and shorter turns."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(REPOSITORY), str(clone))
    edit(clone / "bench/gate/speed.py", "TURN_S, ROUNDS = 0.15, 9", "TURN_S, ROUNDS = 0.05, 3")
    edit(clone / "results/gate/pairs.py", "LEAST_PAIRS = 5", "LEAST_PAIRS = 3")
    edit(clone / "results/gate/pairs.py", "error_rate: float = 0.05", "error_rate: float = 0.25")
    git(clone, "commit", "-q", "-a", "-m", "a shorter gate")
    return clone


def edit(file: Path, old: str, new: str) -> None:
    """Replaces a text that the file holds once."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def hold(clone: Path, data_root: Path, models: str, checks: str) -> dict[str, Any]:
    """Commits what was edited, and returns the verdict of its gate."""
    git(clone, "commit", "-q", "-a", "-m", "some change")
    options = ["--base", "HEAD~1", "--models", models, "--device", "cpu", "--out", "../out"]
    options += ["--checks", checks, "--threshold", "0.3", "--seeds", "2", "--train-seconds", "1"]
    command = (sys.executable, "-m", "bench", "gate", *options)
    env = os.environ | {"FMNIST_DATA": str(data_root.resolve()), "PYTHONPATH": str(clone)}
    done = finish(*command, cwd=clone, env=env, timeout=LIMIT_S)
    found: dict[str, Any] = json.loads((clone.parent / "out" / "verdict.json").read_bytes())
    assert done.returncode == found["exit_code"], done.stderr
    return found


def test_each_damage_is_named(clone: Path, data_root: Path) -> None:
    edit(clone / TINY, POOLING, DAMAGE)
    edit(clone / TINY, "import register\n", f"import register\n{LAYERS}")
    slower = SLOW_TO_LEARN.replace("or 0.0", "* 0.02")
    edit(clone / "bench/train/schedule.py", SLOW_TO_LEARN, slower)
    found = hold(clone, data_root, "v0,v2", "counts,speed,quality")
    assert found["exit_code"] == 1
    worse: dict[str, dict[str, float]] = {}
    for finding in found["findings"]:
        if finding["outcome"] == "worse":
            worse.setdefault(finding["model"], {})[finding["quantity"]] = finding["change"]
    assert {*worse} == {"v0", "v2", "v2, plan compile"}
    assert {*worse["v0"]} == {"validation accuracy"}
    dearer = {"FLOPs a step", "parameters", "seconds a step"}
    leaking = {"bytes kept from step to step", "peak memory"}
    assert dearer | leaking <= {*worse["v2"]}
    assert worse["v2"]["FLOPs a step"] > 1.0
    assert any("graphs" in quantity for quantity in worse["v2, plan compile"])


def test_a_change_of_the_documentation_passes(clone: Path, data_root: Path) -> None:
    with (clone / "README.md").open("a", encoding="utf-8") as file:
        file.write("\nOne line more.\n")
    found = hold(clone, data_root, "v0", "counts,quality")
    assert found["exit_code"] == 0, found["findings"]
    assert {finding["outcome"] for finding in found["findings"]} == {"same"}
    (accuracy,) = (f for f in found["findings"] if f["check"] == "accuracy")
    assert accuracy["evidence"] == "the same in all 2 seeds"
    assert accuracy["base"] > 0.5
    lines = (clone.parent / "out" / "records.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["status"] for record in records] == ["ok"] * 4
    assert {record["spec"]["evaluation_split"] for record in records} == {"validation"}
    assert_counts_are_those_of_the_file(found["measured"]["counts"]["base"])


def assert_counts_are_those_of_the_file(counted: dict[str, dict[str, int]]) -> None:
    """Of this very stack, where the file has it; the bytes of a record vary."""
    baseline, stack = Baseline.read(REPOSITORY / FILE), stack_of("cpu")
    assert {*counted} == {"v0", "v0, plan compile", *EPOCHS}
    if stack in baseline.stacks:
        noted = baseline.rows_for(stack)
        for row in EPOCHS:
            assert counted[row].pop("most_record_bytes") <= noted[row].pop("most_record_bytes")
        assert counted == {row: noted[row] for row in counted}
