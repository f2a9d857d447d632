"""`gate` from the command line, on commits whose workers say what a test has them say."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.commands.gate import _again
from results.gate.verdict import Commit
from tests.bench.gate.gate_by_hand import COUNTS, PLAN, Gate, answers
from tests.command_line import git
from tests.tiers import slow_but

SLOW = {"turns": {"v0": [0.004], "v2": [0.005, 0.0052, 0.0051]}}
ILL, DEADLY, BROKEN = {"fails": ["v2"]}, {"dies_over": ["v2"]}, {"broken": True}


def counting(**counts: int) -> dict[str, Any]:
    """The change of a commit whose counts of v2 are others."""
    return {"counts": {"v0": COUNTS, "v2": COUNTS | counts}}


def test_equal_commits_end_with_0_and_leave_everything_behind(gate: Gate) -> None:
    finished = gate.between({}, {})
    assert finished.returncode == 0, finished.stderr
    assert "about" in finished.stderr.split("pair 1 of")[0]  # says beforehand how long it takes
    assert finished.stdout.startswith("No regression")
    assert set(gate.outcomes()) == {"same"}
    found = gate.verdict()
    assert (found["verdict"], found["exit_code"]) == ("ok", 0)
    assert len(found["measured"]["pairs"]["v2"]) == 6  # log2(2 / 0.05)
    out = gate.folder / "out"
    lines = (out / "records.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["gate_side"] for line in lines[:6]] == [
        *("base", "head", "head", "base", "base", "head")
    ]
    assert (out / "summary.md").read_text("utf-8").startswith("**No regression**")
    assert git(gate.repository, "worktree", "list").count("\n") == 0


SLOWER = (SLOW, "counts,speed,quality", "speed v2")


@pytest.mark.parametrize(
    ("head", "checks", "wanted"),
    slow_but(
        [SLOWER],
        [
            SLOWER,
            ({"accuracy": [0.77, 0.78, 0.765]}, "quality", "accuracy v2"),
            (counting(flops=2000), "counts", "counts v2"),
            (counting(kept_bytes=8), "counts", "counts v2"),
            ({"list_models": ["v0", "v2_new"]}, "counts", "run v2"),
            (ILL, "speed", "run v2"),
            (DEADLY, "speed", "run v2"),
            (BROKEN, "speed", "run "),
        ],
    ),
    ids=["slower", "less accurate", "dearer", "leaking", "gone", "failing", "dying", "broken"],
)
def test_a_head_that_is_worse_ends_with_1_and_is_named(
    gate: Gate, head: dict[str, Any], checks: str, wanted: str
) -> None:
    finished = gate.between({}, head, "--checks", checks)
    assert finished.returncode == 1, finished.stderr
    worse = gate.outcomes()["worse"]
    assert wanted in worse
    assert not [name for name in worse if name.endswith("v0") and "accuracy" not in name]
    assert "Regression" in finished.stdout
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    "base", slow_but([ILL], [ILL, DEADLY, BROKEN]), ids=["failing", "dying", "broken"]
)
def test_a_broken_base_ends_with_4(gate: Gate, base: dict[str, Any]) -> None:
    finished = gate.between(base, {}, "--checks", "speed")
    assert finished.returncode == 4, finished.stderr
    assert "worse" not in gate.outcomes()
    assert any(name.startswith("run") for name in gate.outcomes()["unusable"])


def test_a_base_that_differs_from_itself_ends_with_3(gate: Gate) -> None:
    # both run the same code: the scripted worker looks at the name of its log
    finished = gate.between({"again_is_slower": 1.2}, {}, "--checks", "speed")
    assert finished.returncode == 3, finished.stderr
    assert gate.outcomes() == {"unclear": ["speed v0", "speed v2"]}
    assert "the base differs from itself" in finished.stdout
    assert "measuring again, to be sure: v0, v2" in finished.stderr


def test_the_failure_of_a_model_is_not_taken_for_that_of_the_next(gate: Gate) -> None:
    finished = gate.between({"fails": ["v0"]}, {"fails": ["v0"]}, "--checks", "counts")
    assert finished.returncode == 4, finished.stderr
    assert gate.outcomes() == {"unusable": ["run v0"], "same": ["counts v2", "counts epoch"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "head", "code"),
    [
        ({}, BROKEN, 1),
        ({}, {"fails": ["v0"]}, 1),
        ({}, {"list_models": ["v2"]}, 1),
        (BROKEN, {}, 4),
        ({"fails": ["v0"]}, {}, 4),
    ],
)
def test_a_gate_of_one_model_that_fails_has_a_verdict(
    gate: Gate, base: dict[str, Any], head: dict[str, Any], code: int
) -> None:
    alone = {"resolve": answers()["resolve"] | {"plans": {"v0": PLAN}}}
    finished = gate.between(alone | base, alone | head, "--models", "v0")
    assert finished.returncode == code, finished.stderr
    assert gate.verdict()["exit_code"] == code
    assert "Traceback" not in finished.stderr
    first = finished.stdout.splitlines()[0]
    for said, side in ((base, "the base"), (head, "the head")):
        assert (f": {side}: " in first) == ("broken" in said), first


@pytest.mark.slow
def test_one_commit_and_new_models_are_told(gate: Gate) -> None:
    checks = ("--checks", "counts")
    assert gate.between({}, {"list_models": ["v0", "v2", "v3"]}, *checks).returncode == 0
    assert gate.verdict()["notes"] == ["new, with nothing to be compared with: v3"]
    (gate.folder / "out").rename(gate.folder / "first")
    git(gate.repository, "checkout", "-q", "base")
    assert gate(*checks, held_to="HEAD").returncode == 0
    assert gate.verdict()["notes"] == [
        "base and head are the same commit: this measures the gate alone"
    ]


@pytest.mark.slow
def test_a_count_renewed_in_the_commits_own_file_is_no_regression(gate: Gate) -> None:
    checks = ("--checks", "counts", "--head=head")
    assert gate.between({}, counting(flops=2000), *checks).returncode == 1
    (gate.folder / "out").rename(gate.folder / "first")
    for branch, flops in (("base", 1000), ("head", 2000)):
        git(gate.repository, "checkout", "-q", branch)
        (gate.repository / "tests").mkdir(exist_ok=True)
        text = f"[any]\nv2 = {{ flops = {flops} }}\n"
        (gate.repository / "tests" / "counts.toml").write_text(text, encoding="utf-8")
        git(gate.repository, "add", "-A")
        git(gate.repository, "commit", "-q", "-m", "counts")
    finished = gate(*checks)
    assert finished.returncode == 0, finished.stdout
    assert gate.outcomes()["changed"] == ["counts v2"]
    hashes = [git(gate.repository, "rev-parse", name)[:12] for name in ("base", "head")]
    again = "fmnist-bench gate --checks counts --base {} --head {}".format(*hashes)
    assert finished.stdout.splitlines()[-1] == f"again: {again}"  # no branch, no folder


@pytest.mark.slow
def test_a_dedicated_machine_holds_to_5_percent(gate: Gate) -> None:
    slightly = {"turns": {"v0": [0.004], "v2": [0.0043]}}
    assert gate.between({}, slightly, "--checks", "speed").returncode == 0
    (gate.folder / "out").rename(gate.folder / "first")
    assert gate("--checks", "speed", "--dedicated").returncode == 1


@pytest.mark.slow
def test_github_gets_a_summary_and_annotations(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    finished = gate.between({}, counting(flops=2000), "--checks", "counts")
    assert "::error" in finished.stdout
    assert (tmp_path / "step.md").read_text("utf-8").startswith("**Regression**")


def test_a_gate_is_repeated_by_hashes_and_into_a_folder_of_its_own() -> None:
    base, head = (Commit(name, letter * 40, "") for name, letter in (("main", "a"), ("HEAD", "b")))
    given = ["gate", "--base", "main", "--out=here", "--models", "v0", "--head=HEAD", "--out", "x"]
    wanted = f"fmnist-bench gate --models v0 --base {'a' * 12} --head {'b' * 12}"
    assert _again(given, base, head) == wanted
