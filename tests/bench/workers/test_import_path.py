"""No process that a sweep or a compiler starts imports what lies in the working directory."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.import_path import cwd_ignored, import_variables, our_path
from bench.workers.isolation import ask
from tests.bench.workers import children_by_hand as children


@pytest.fixture
def hostile_cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with modules of Python's and our names, which end who imports them."""
    for name in ("struct", "json", "socket", "typing", "torch", "bench", "results"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the cwd was imported from')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    return tmp_path


def test_the_fork_server_imports_from_where_its_parent_does(
    hostile_cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/the/user's own")
    monkeypatch.syspath_prepend("/first")
    with children.fresh_server(children.__name__):
        told = ask(children.tells_imports, None)
        assert told["imported_by"] == children.server_pid()
    assert told["path"] == list(dict.fromkeys(our_path().split(os.pathsep)))
    assert told["path"][0] == "/first"
    assert not {"", ".", str(hostile_cwd)} & set(told["path"])
    assert told["variables"] == import_variables(), "a child is to pass on what the user has set"


@pytest.mark.parametrize("code", [["-c", "import json, struct"], ["-m", "json.tool"]])
def test_a_process_started_in_the_block_does_not_see_the_cwd(
    code: list[str], hostile_cwd: Path
) -> None:
    def code_of() -> int:
        return subprocess.run([sys.executable, *code], input=b"1", check=False).returncode

    assert code_of() == 1, "the files in the cwd are to be those that would be imported"
    with cwd_ignored():
        assert code_of() == 0


def test_the_variables_are_put_back_when_the_block_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "there")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with contextlib.suppress(KeyError), cwd_ignored(PYTHONPATH="elsewhere"):
        assert import_variables() == {"PYTHONPATH": "elsewhere", "PYTHONSAFEPATH": "1"}
        raise KeyError
    assert import_variables() == {"PYTHONPATH": "there", "PYTHONSAFEPATH": None}
