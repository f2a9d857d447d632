"""Prints, after the fuzz tests, how many inputs each reader has read and refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.fuzzing import TOLD


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a reader, and the sum."""
    if not TOLD:
        return
    terminalreporter.section("bad inputs")
    for name in sorted({name for name, _ in TOLD}):
        read, refused = TOLD[name, "read"], TOLD[name, "refused"]
        terminalreporter.write_line(f"{name:<28} {read:>7,} read  {refused:>7,} refused")
    terminalreporter.write_line(f"{'all':<28} {sum(TOLD.values()):>7,} inputs")


@pytest.fixture(params=["pipe", "endless device", "loop of links"])
def special_file(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """Makes what is no file at a path: reading it would wait, never end, or not begin."""

    def make(path: Path) -> None:
        if request.param == "pipe":
            os.mkfifo(path)
        elif request.param == "endless device":
            path.symlink_to("/dev/zero")
        else:
            path.symlink_to(path.name)

    return make
