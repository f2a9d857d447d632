"""Paths as a user writes them, and the directory that a command is called in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_line import Finished, assert_refused

Cli = Callable[..., Finished]


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--data", "{}"],
        ["run", "--config", "{}"],
        ["table", "{}"],
        ["choose", "{}"],
        ["compare", "{}", "{}"],
        ["report", "{}"],
        ["predict", "{}", "{}"],
    ],
    ids=lambda words: " ".join(words[:-1]),
)
def test_a_tilde_is_the_home_in_every_path(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Would catch a folder called ~: no shell looks into --out=~/x, a quoted word or a script."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    finished = cli(*(word.format("~/none") for word in words))
    assert finished.returncode == 2
    assert f"{tmp_path / 'home' / 'none'}" in finished.stderr + finished.stdout
    assert not (tmp_path / "~").exists()


def test_the_home_of_nobody_is_one_line(cli: Cli, tmp_path: Path) -> None:
    assert_refused(cli("table", "~nobody_here/x"), "~nobody_here/x: there is no such home here")
    (tmp_path / "~nobody_here").mkdir()
    assert_refused(cli("table", "~nobody_here"), "no records in ~nobody_here")


@pytest.mark.parametrize("words", [["doctor"], ["gate", "--base", "HEAD"], ["run"], ["list"]])
def test_a_directory_that_is_gone_is_one_line(cli: Cli, tmp_path: Path, words: list[str]) -> None:
    """Would catch a traceback, and torch's own death by MKL without a library to be found."""
    (tmp_path / "gone").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        assert_refused(cli(*words), "the working directory is gone; go to one that exists")
