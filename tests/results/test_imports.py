"""`results` works where torch is not, and importing it loads nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

import results

ROOT = Path(__file__).parents[2]
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} must not be imported here")

BLOCKED = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Blocker())
"""
WHOLE_WAY = """
import importlib, io, pkgutil, tempfile
from pathlib import Path
from rich.console import Console

import results
from results.choice.table import render_choice
from results.choice.table import choice_notes
from results.choice.text import choice_headline, choice_json
from results.history.drift import drifts
from results.history.rows import history_rows
from results.history.table import render_history
from results.ladder.footer import ladder_footer_lines, ladder_sentences
from results.ladder.rows import ladder_rows
from results.ladder.table import render_ladder
from results.reference.rows import published_rows
from results.reference.table import export_published, render_published
from results.render.footer import footer_lines
from results.render.formats import FORMATS, export
from results.render.table import render_table
from results.report.compose import compose, write_figures, write_report
from results.report.material import gather
from results.rows.comparable import is_ladder
from tests.results.reference.published_by_hand import all_systems
from tests.results.records_by_hand import make_sweep

store = results.RunStore(tempfile.mkdtemp())
for record in make_sweep():
    store.append(record, samples={"loss": [1.0, 2.0]})
summaries = results.summarize(results.read_records(store.folder))
rows = results.table_rows(summaries)
Console(file=io.StringIO()).print(render_table(rows, width=80))
for fmt in FORMATS:
    export(rows, fmt)
footer_lines(summaries)
rungs = [record for record in results.read_records(store.folder) if is_ladder(record)]
render_ladder(ladder_rows(rungs), width=80)
ladder_sentences(rungs), ladder_footer_lines(rungs)
published = all_systems()
render_published(published_rows(published), width=80)
for fmt in FORMATS:
    export_published(published, fmt)

material = gather([store.folder])
page = compose(material, store.folder / "report.html")
assert write_report(page, store.folder / "report.html") > 900_000
assert write_figures(page, Path(store.folder) / "figures", "svg")

for module in pkgutil.walk_packages(results.__path__, "results."):
    importlib.import_module(module.name)
choice = results.choose(results.read_records(store.folder))
Console(file=io.StringIO()).print(render_choice(choice, width=80))
choice_headline(choice), choice_notes(choice), choice_json(choice)
over_commits = results.summarize(results.read_records(store.folder), by="commit")
Console(file=io.StringIO()).print(render_history(history_rows(over_commits), width=80))
drifts(over_commits)
records = results.read_records(store.folder)
assert results.compare_records(records, records).findings
"""
COMMANDS = """
from bench.shell import run_app
from bench.cli import app

records = "results/tables/cpu-default-3epochs.jsonl"
for arguments in (["table"], ["table", "--by", "commit"], ["choose"]):
    assert run_app(app, [*arguments, records], "fmnist-bench") == 0
comparison = ["compare", records, records, "--format", "json"]
assert run_app(app, comparison, "fmnist-bench") == 0
"""


def run_without(blocked: str, code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BLOCKER + code, blocked]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_whole_way_needs_no_torch_and_no_other_package_of_ours() -> None:
    blocked = "torch,torchvision,bench,data_pipeline,fmnist_models"
    finished = run_without(blocked, WHOLE_WAY)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_commands_that_read_results_need_no_torch_either() -> None:
    finished = run_without("torch,torchvision", COMMANDS)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "recommended: fashion_cnn" in finished.stdout


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
