"""`gate` from the command line, on commits whose workers say what a test has them say."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench.gate.gate_by_hand import (
    COUNTS,
    Gate,
    answers,
    git,
    make_repository,
    outcomes,
    verdict,
)
from tests.tiers import slow_but

SLOW = {"v0": [0.004], "v2": [0.005, 0.0052, 0.0051]}
SLOWER = (answers(turns=SLOW), "speed v2")


def test_equal_commits_end_with_0_and_leave_everything_behind(gate: Gate, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", answers(), answers())
    finished = gate(repository)
    assert finished.returncode == 0, finished.stderr
    assert "about" in finished.stderr.split("pair 1 of")[0]  # says beforehand how long it takes
    assert finished.stdout.startswith("No regression")
    assert set(outcomes(tmp_path)) == {"same"}
    found = verdict(tmp_path)
    assert (found["verdict"], found["exit_code"]) == ("ok", 0)
    assert len(found["measured"]["pairs"]["v2"]) == 6  # log2(2 / 0.05)
    lines = (tmp_path / "out" / "records.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["gate_side"] for line in lines[:6]] == [
        *("base", "head", "head", "base", "base", "head")
    ]
    assert (tmp_path / "out" / "summary.md").read_text("utf-8").startswith("**No regression**")
    assert git(repository, "worktree", "list").count("\n") == 0


@pytest.mark.parametrize(
    ("head", "wanted"),
    slow_but(
        [SLOWER],
        [
            SLOWER,
            (answers(accuracy=[0.77, 0.78, 0.765]), "accuracy v2"),
            (answers(counts={"v0": COUNTS, "v2": COUNTS | {"flops": 2000}}), "counts v2"),
            (answers(counts={"v0": COUNTS, "v2": COUNTS | {"kept_bytes": 8}}), "counts v2"),
            (answers(list_models=["v0", "v2_new"]), "run v2"),
            (answers(fails=["v2"]), "run v2"),
            (answers(dies_over=["v2"]), "run v2"),
            (answers(broken=True), "run "),
        ],
    ),
    ids=["slower", "less accurate", "dearer", "leaking", "gone", "failing", "dying", "broken"],
)
def test_a_head_that_is_worse_ends_with_1_and_is_named(
    gate: Gate, tmp_path: Path, head: dict[str, Any], wanted: str
) -> None:
    finished = gate(make_repository(tmp_path / "r", answers(), head))
    assert finished.returncode == 1, finished.stderr
    worse = outcomes(tmp_path)["worse"]
    assert wanted in worse
    assert not [name for name in worse if name.endswith("v0") and "accuracy" not in name]
    assert "Regression" in finished.stdout
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    "base",
    slow_but(
        [answers(fails=["v2"])],
        [answers(fails=["v2"]), answers(dies_over=["v2"]), answers(broken=True)],
    ),
    ids=["failing", "dying", "broken"],
)
def test_a_broken_base_ends_with_4(gate: Gate, tmp_path: Path, base: dict[str, Any]) -> None:
    finished = gate(make_repository(tmp_path / "r", base, answers()))
    assert finished.returncode == 4, finished.stderr
    assert "worse" not in outcomes(tmp_path)
    assert any(name.startswith("run") for name in outcomes(tmp_path)["unusable"])


def test_a_base_that_differs_from_itself_ends_with_3(gate: Gate, tmp_path: Path) -> None:
    # both run the same code: the scripted worker looks at the name of its log
    repository = make_repository(tmp_path / "r", answers(again_is_slower=1.2), answers())
    finished = gate(repository, "--checks", "speed")
    assert finished.returncode == 3, finished.stderr
    assert outcomes(tmp_path) == {"unclear": ["speed v0", "speed v2"]}
    assert "the base differs from itself" in finished.stdout
    assert "measuring again, to be sure: v0, v2" in finished.stderr


@pytest.mark.slow
def test_accuracy_that_seeds_leave_open_ends_with_3(gate: Gate, tmp_path: Path) -> None:
    base, head = answers(accuracy=[0.8, 0.7, 0.75]), answers(accuracy=[0.7, 0.8, 0.72])
    finished = gate(make_repository(tmp_path / "r", base, head), "--checks", "quality")
    assert finished.returncode == 3, finished.stderr
    assert "accuracy v2" in outcomes(tmp_path)["unclear"]
    assert finished.stdout.startswith("Inconclusive")


def test_the_failure_of_a_model_is_not_taken_for_that_of_the_next(
    gate: Gate, tmp_path: Path
) -> None:
    sides = answers(fails=["v0"]), answers(fails=["v0"])
    finished = gate(make_repository(tmp_path / "r", *sides), "--checks", "counts")
    assert finished.returncode == 4, finished.stderr
    assert outcomes(tmp_path) == {"unusable": ["run v0"], "same": ["counts v2", "counts epoch"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "head", "code"),
    [
        (answers(), answers(broken=True), 1),
        (answers(), answers(fails=["v0"]), 1),
        (answers(), answers(list_models=["v2"]), 1),
        (answers(broken=True), answers(), 4),
        (answers(fails=["v0"]), answers(), 4),
    ],
)
def test_a_gate_of_one_model_that_fails_has_a_verdict(
    gate: Gate, tmp_path: Path, base: dict[str, Any], head: dict[str, Any], code: int
) -> None:
    for said in (base, head):
        said["resolve"] = said["resolve"] | {"plans": {"v0": "resident,contiguous,eager,threads:1"}}
    finished = gate(make_repository(tmp_path / "r", base, head), "--models", "v0")
    assert finished.returncode == code, finished.stderr
    assert verdict(tmp_path)["exit_code"] == code
    assert "Traceback" not in finished.stderr
    first = finished.stdout.splitlines()[0]
    for said, side in ((base, "the base"), (head, "the head")):
        assert (f": {side}: " in first) == ("broken" in said), first


@pytest.mark.slow
def test_a_commit_against_itself_is_told(gate: Gate, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", answers(), answers())
    assert gate(repository, "--checks", "counts", base="HEAD").returncode == 0
    assert verdict(tmp_path)["notes"] == [
        "base and head are the same commit: this measures the gate alone"
    ]


@pytest.mark.slow
def test_a_model_that_only_the_head_has_is_told(gate: Gate, tmp_path: Path) -> None:
    head = answers(list_models=["v0", "v2", "v3"])
    assert (
        gate(make_repository(tmp_path / "r", answers(), head), "--checks", "counts").returncode == 0
    )
    assert verdict(tmp_path)["notes"] == ["new, with nothing to be compared with: v3"]


@pytest.mark.slow
def test_the_command_that_repeats_it_names_commits_and_no_folder(
    gate: Gate, tmp_path: Path
) -> None:
    repository = make_repository(tmp_path / "r", answers(), answers())
    finished = gate(repository, "--checks", "counts", "--head=head")
    hashes = [git(repository, "rev-parse", name)[:12] for name in ("base", "head")]
    again = "fmnist-bench gate --checks counts --base {} --head {}".format(*hashes)
    assert finished.stdout.splitlines()[-1] == f"again: {again}"


@pytest.mark.slow
def test_a_count_renewed_in_the_commits_own_file_is_no_regression(
    gate: Gate, tmp_path: Path
) -> None:
    dearer = answers(counts={"v0": COUNTS, "v2": COUNTS | {"flops": 2000}})
    repository = make_repository(tmp_path / "r", answers(), dearer)
    (repository / "tests").mkdir()
    for branch, flops in (("base", 1000), ("head", 2000)):
        git(repository, "checkout", "-q", branch)
        text = f"[any]\nv2 = {{ flops = {flops} }}\n"
        (repository / "tests").mkdir(exist_ok=True)
        (repository / "tests" / "counts.toml").write_text(text, encoding="utf-8")
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "-m", "counts")
    finished = gate(repository, "--checks", "counts")
    assert finished.returncode == 0, finished.stdout
    assert outcomes(tmp_path)["changed"] == ["counts v2"]


@pytest.mark.slow
def test_only_what_is_asked_for_is_checked(gate: Gate, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "r", answers(), answers(turns=SLOW, accuracy=[0.1]))
    assert gate(repository, "--checks", "counts").returncode == 0
    assert {name.split()[0] for name in outcomes(tmp_path)["same"]} == {"counts"}


@pytest.mark.slow
def test_a_dedicated_machine_holds_to_5_percent(gate: Gate, tmp_path: Path) -> None:
    slightly = answers(turns={"v0": [0.004], "v2": [0.0043]})
    repository = make_repository(tmp_path / "r", answers(), slightly)
    assert gate(repository, "--checks", "speed").returncode == 0
    (tmp_path / "out").rename(tmp_path / "first")
    assert gate(repository, "--checks", "speed", "--dedicated").returncode == 1


@pytest.mark.slow
def test_github_gets_a_summary_and_annotations(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository(tmp_path / "r", answers(), answers(turns=SLOW))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    finished = gate(repository, "--checks", "speed")
    assert "::error" in finished.stdout
    assert (tmp_path / "step.md").read_text("utf-8").startswith("**Regression**")
