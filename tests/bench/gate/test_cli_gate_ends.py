"""How `gate` ends where it does not come to a verdict: refused in one line, or stopped."""

import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.bench.gate.gate_by_hand import Gate, answers, make_repository
from tests.command_line import (
    LIMIT_S,
    MARK,
    REPOSITORY,
    assert_refused,
    environment,
    git,
    processes_with,
    wait_for,
)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("--models", "nonsense"), "unknown model 'nonsense'"),
        (("--checks", "beauty"), "cannot read --checks 'beauty'; choose from counts, speed"),
        (
            ("--threshold", "15"),
            "--threshold is a fraction between 0 and 1, not 15; write 0.15",
        ),
        (("--margin", "0"), "--margin is a fraction"),
        (("--head", "nowhere"), "unknown revision 'nowhere'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    gate: Gate, options: tuple[str, str], wanted: str
) -> None:
    finished = gate.between({}, {}, *options)
    last = finished.stderr.splitlines()[-1]
    assert (finished.returncode, finished.stdout) == (2, "")
    assert last.startswith("fmnist-bench: ")
    assert wanted in last
    assert not (gate.folder / "out" / "verdict.json").exists()


def test_a_base_or_a_tree_that_cannot_be_measured_is_one_line(gate: Gate) -> None:
    finished = gate.between({}, {}, held_to="v9")
    assert_refused(finished, "unknown revision 'v9': name a commit")
    new, old = gate.repository / "bench" / "new.py", gate.repository / "README.md"
    new.touch()
    assert_refused(gate(), "bench/new.py")
    new.unlink()
    old.write_text("changed", encoding="utf-8")
    assert_refused(gate(), "the work tree differs from its commit (README.md)")
    assert gate("--head", "base", "--checks", "counts").returncode == 0
    assert_refused(gate("--head", "base"), "already holds a verdict; name another --out")


def test_outside_of_a_checkout_it_is_one_line_with_gits_reason(gate: Gate) -> None:
    """Would catch a reason of git's that is cut, or a setting of the user's that git never saw."""
    gate.repository.mkdir()
    assert_refused(gate(), "run it in a git checkout (fatal: not a git repository")
    git(gate.repository, "init", "-q")
    gate.monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    line = gate().stderr
    assert "dubious ownership" in line
    assert f"git config --global --add safe.directory {gate.repository}" in line


def test_a_base_without_the_harness_is_one_line_and_4(gate: Gate) -> None:
    make_repository(gate.repository, answers(), answers(), has_worker=False)
    assert_refused(gate(), "has no bench/gate/worker.py", exit_code=4)


def test_another_protocol_is_one_line_and_4(gate: Gate) -> None:
    finished = gate.between({"introduce": {"protocol": 0}}, {})
    assert finished.returncode == 4
    assert "the base speaks protocol 0 and this gate 2" in finished.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_gate_that_is_stopped_leaves_no_worktree_and_no_process(
    tmp_path: Path, data_root: Path, number: int, code: int
) -> None:
    slow = answers(sleep_s=0.5)
    repository = make_repository(tmp_path / "r", slow, slow)
    mark = uuid.uuid4().hex
    gate = subprocess.Popen(
        # -P: the folder that it stands in has a package `bench` of its own
        [sys.executable, "-P", "-m", "bench", "gate", "--base", "base", "--out", tmp_path / "out"],
        cwd=repository,
        env=environment(data_root) | {"PYTHONPATH": str(REPOSITORY), MARK: mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    logs = tmp_path / "out"
    assert wait_for((logs / "again.log").exists)  # the first pair is under way
    gate.send_signal(number)
    assert gate.wait(LIMIT_S) == code
    assert wait_for(lambda: not processes_with(mark))
    assert git(repository, "worktree", "list").count("\n") == 0
    assert not (logs / "verdict.json").exists()
