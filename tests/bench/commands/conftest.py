"""The command line in this process, and folders of records for it."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from results import RunRecord, RunStore
from tests.command_line import Finished, call


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Finished]:
    """Calls a command in an empty folder without data, 120 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return partial(call, monkeypatch, capfd, tmp_path)


@pytest.fixture
def on_data(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], data_root: Path
) -> Callable[..., Finished]:
    """Calls a command where the tests were started, on the real data."""
    return partial(call, monkeypatch, capfd, data_root)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Sequence[RunRecord]], Path]:
    """Writes a folder of records by its name."""

    def written(name: str, records: Sequence[RunRecord]) -> Path:
        store = RunStore(tmp_path / name)
        for record in records:
            store.append(record)
        return store.folder

    return written
