"""The whole command line under random options: an exit code that the design knows, and one line."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from bench.__main__ import main
from bench.errors import UsageError
from bench.gate.worktrees import find_commits
from tests.command_line import REPOSITORY
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
COMMANDS = ("run", "table", "choose", "compare", "report", "predict", "gate", "list")
WORDS = {  # that get further than most
    "--models": ("v0", "v*", "all"),
    "--budget": ("3steps", "1epochs"),
    "--recipe": ("classic",),
    "--plan": ("eager", "ladder"),
    "--precision": ("fp32",),
    "--set": ("batch_size=8",),
    "--save-every": ("2steps",),
    "--max-memory": ("1e400GiB", "3parsecs", "5MiB"),
    "--by": ("time-to-target",),
    "--format": ("json",),
    "--base": ("HEAD",),
    "--checks": ("counts,speed",),
}


OFFERED = json.loads((REPOSITORY / "tests/freeze/options.json").read_text(encoding="utf-8"))
OF_TYPE = {"int": NUMBERS, "float": NUMBERS, "Path": PATHS, "list[pathlib.Path]": PATHS}


def options_of(command: str) -> dict[str, Any]:
    """What values each option of a command gets; an argument stands without its name."""
    found: dict[str, Any] = {"": ANY}
    for name, option in OFFERED[command].items():
        values = OF_TYPE.get(option["type"], ANY) | st.sampled_from(WORDS.get(name, ("2",)))
        found["" if option["place"] is not None else name] = FLAG if option["flag"] else values
    return found


OPTIONS = {command: options_of(command) for command in COMMANDS} | {"frobnicate": {"": ANY}}


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
