"""`results` works where torch is not, and importing it loads nothing heavy."""

import sys

import pytest

import results
from tests.command_line import Finished, finish

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} must not be imported here")

BLOCKED = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Blocker())
"""
CALL = """
import importlib, pkgutil, tempfile
from pathlib import Path

import results
from bench.cli import app
from bench.shell import run_app

tables = Path("results/tables")
records = str(tables / "cpu-default-3epochs.jsonl")

def call(*arguments):
    assert run_app(app, list(map(str, arguments)), "fmnist-bench") == 0
"""
QUICK = """
call("table", records)
call("table", records, "--by", "commit")
call("choose", records)
call("compare", records, records, "--format", "json")
"""
THOROUGH = """
for fmt in ("markdown", "csv", "json", "latex"):
    call("table", records, "--format", fmt)
    call("table", tables / "published-cpu-60s.jsonl", "--by", "published", "--format", fmt)
call("table", tables / "ladder-cpu-batch32.jsonl")
call("choose", records, "--format", "json")
from tests.results.report.report_by_hand import write_store
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    write_store(folder / "run")
    call("report", folder / "run", "--out", folder / "page.html", "--figures", folder / "figures")
    assert (folder / "page.html").stat().st_size > 900_000
for module in pkgutil.walk_packages(results.__path__, "results."):
    importlib.import_module(module.name)
"""


def run_without(blocked: str, code: str) -> Finished:
    return finish(sys.executable, "-c", BLOCKER + code, blocked)


@pytest.mark.parametrize("calls", [QUICK, pytest.param(THOROUGH, marks=pytest.mark.slow)])
def test_commands_that_read_results_need_no_torch(calls: str) -> None:
    finished = run_without("torch,torchvision", CALL + calls)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_the_blocker_blocks() -> None:
    finished = run_without("msgspec", "import results; results.RunRecord")
    assert finished.returncode == 1
    assert "msgspec must not be imported here" in finished.stderr


def test_records_and_rows_need_nothing_heavy() -> None:
    code = """
import results
from results.render.formats import export
from tests.results.records_by_hand import make_record

assert results.table_rows(results.summarize([make_record()]))
assert export([], "json") and results.RunStore and results.read_records
"""
    finished = run_without("torch,torchvision,pandas,scipy,numpy,rich,tabulate", code)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_importing_the_package_loads_none_of_its_modules() -> None:
    code = "import results; assert not [m for m in sys.modules if m.startswith('results.')]"
    assert run_without("torch", code).returncode == 0


@pytest.mark.parametrize("name", results.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    public = getattr(results, name)
    assert public.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        results.nothing  # noqa: B018
