"""The whole command line under random options: an exit code that the design knows, and one line."""

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from bench.__main__ import main
from bench.errors import UsageError
from bench.gate.worktrees import find_commits
from tests.fuzz.fuzzing import NASTY_TEXTS, TOLD, assert_one_line, fuzzed, read_or_refused

STOPPED = "all options were accepted"
NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.sampled_from(["", "1e400", "0x1", "1_0", "\u0663", "-0", "nan", "inf", "half"]),
)
PATHS = st.sampled_from(["gone", ".", "/dev/null", "/proc/self/mem", "x" * 5_000, "~nobody/x", ""])
ANY = NUMBERS | PATHS | NASTY_TEXTS
FLAG = None
OPTIONS: dict[str, dict[str, Any]] = {
    "run": {
        "--models": ANY | st.sampled_from(["v0", "v*", "all"]),
        "--budget": ANY | st.sampled_from(["3steps", "1epochs"]),
        "--recipe": ANY | st.just("classic"),
        "--protocol": ANY,
        "--seeds": NUMBERS | st.just("2"),
        "--plan": ANY | st.sampled_from(["eager", "ladder"]),
        "--precision": ANY | st.just("fp32"),
        "--out": PATHS,
        "--set": ANY | st.just("batch_size=8"),
        "--config": PATHS,
        "--target": NUMBERS | st.just("0.9"),
        "--save-every": ANY | st.just("2steps"),
        "--timeout": NUMBERS,
        "--resume": FLAG,
        "--full-train": FLAG,
        "--deterministic": FLAG,
        "--save": FLAG,
        "--tensorboard": FLAG,
        "--in-process": FLAG,
    },
    "table": {"": PATHS, "--format": ANY, "--sort": ANY, "--by": ANY, "--mixed": FLAG},
    "choose": {
        "": PATHS,
        "--max-seconds": NUMBERS,
        "--min-accuracy": NUMBERS,
        "--max-memory": ANY | st.sampled_from(["1e400GiB", "3parsecs", "5MiB"]),
        "--max-joules": NUMBERS,
        "--max-params": ANY,
        "--by": ANY | st.just("time-to-target"),
        "--target": ANY,
        "--format": ANY | st.just("json"),
        "--mixed": FLAG,
    },
    "compare": {"": PATHS, "--threshold": NUMBERS, "--margin": NUMBERS, "--format": ANY},
    "report": {"": PATHS, "--mixed": FLAG},
    "predict": {
        "": PATHS | st.just("v0"),
        "--top": NUMBERS,
        "--invert": ANY,
        "--model": ANY,
        "--input-size": NUMBERS,
        "--normalize": ANY,
        "--format": ANY,
        "--device": ANY,
    },
    "gate": {
        "--base": ANY | st.just("HEAD"),
        "--head": ANY,
        "--models": ANY,
        "--checks": ANY | st.just("counts,speed"),
        "--threshold": NUMBERS,
        "--dedicated": FLAG,
        "--margin": NUMBERS,
        "--seeds": NUMBERS,
        "--train-seconds": NUMBERS,
        "--plan": ANY,
        "--set": ANY,
        "--out": PATHS,
    },
    "list": {"": ANY, "--format": ANY},
    "frobnicate": {"": ANY},
}


def words(command: str) -> st.SearchStrategy[list[str]]:
    """A command with up to six of its options, some of them twice."""
    pairs = [
        st.just([name]) if values is FLAG else values.map(lambda v, n=name: [n, v] if n else [v])
        for name, values in OPTIONS[command].items()
    ]
    return st.lists(st.one_of(pairs), max_size=6).map(
        lambda drawn: [command, *(word.replace("\0", "") for pair in drawn for word in pair)]
    )


@pytest.fixture
def _nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands end where they would begin to work."""

    def stop(*_arguments: object, **_options: object) -> None:
        raise UsageError(STOPPED)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.commands.run.start_server", lambda: None)
    monkeypatch.setattr("bench.commands.run.ensure_data", stop)
    monkeypatch.setattr("bench.commands.gate.hold", stop)
    monkeypatch.setattr("bench.keep.classifier.Classifier.open", stop)


@pytest.mark.usefixtures("_nothing_runs")
@fuzzed(arguments=st.sampled_from(sorted(OPTIONS)).flatmap(words), share=2.0)
def test_any_command_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fmnist-bench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    assert ended.value.code in {0, 2, 4}, err
    TOLD["command line", "refused" if ended.value.code and STOPPED not in err else "read"] += 1
    if ended.value.code:
        assert out == ""
        assert err.startswith("fmnist-bench: ")
        assert err.count("\n") == 1, err
        assert_one_line(err)


REVISIONS = st.one_of(
    st.sampled_from(
        [
            *("HEAD", "^HEAD", "HEAD~1..HEAD", "--all", "--git-dir", "-1", "--output=/tmp/x"),
            *("--since=now", "HEAD:bench", ":/", "HEAD^{tree}", "--help", "-h", "HEAD -- x"),
            *("@{u}", ".", "*"),
            *("HEAD\nHEAD", "--upload-pack=touch x", "main@{99999999}", "0" * 40, "$(touch x)"),
        ]
    ),
    NASTY_TEXTS.map(lambda text: text.replace("\0", "")),
)


@fuzzed(base=REVISIONS, share=0.1)
def test_revisions(base: str) -> None:
    found = read_or_refused("revision", lambda: find_commits(base, "HEAD~1"))
    if found is not None:
        assert all(len(commit.commit) == 40 for commit in found[1])
        assert all(set(commit.commit) <= set("0123456789abcdef") for commit in found[1])
