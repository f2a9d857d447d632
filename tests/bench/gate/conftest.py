"""The command `gate`, called in this process."""

from pathlib import Path

import pytest

from tests.bench.gate.gate_by_hand import Gate


@pytest.fixture
def gate(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    data_root: Path,
) -> Gate:
    """Calls the gate, as if not on GitHub."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return Gate(tmp_path, monkeypatch, capfd, data_root.resolve())
