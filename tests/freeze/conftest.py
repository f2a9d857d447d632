"""The command line in this process, in a folder with the published records."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.command_line import Finished, call
from tests.freeze.records import write_records


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file of `results/tables`, and some that are made of them."""
    return write_records(tmp_path_factory.mktemp("records"))


@pytest.fixture
def say(
    records: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., Finished]:
    """Calls a command in the folder of records, without data set, terminal or GitHub."""
    monkeypatch.chdir(records)
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return partial(call, monkeypatch, capfd, tmp_path)
