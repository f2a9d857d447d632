"""Print, after the fuzz tests, how many inputs each reader has read and refused."""

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
