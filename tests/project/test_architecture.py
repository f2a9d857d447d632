"""What holds the house together: sizes, lazy imports, public interface; imports: pyproject.toml."""

import sys
from collections import Counter
from pathlib import Path

import pytest
import typer

from bench.cli import app
from tests.command_line import finish

ROOT = Path(__file__).parents[2]
PACKAGES = ("bench", "data_pipeline", "fmnist_models", "results", "tools")
HEAVY = ("torch", "torchvision", "pandas", "scipy")
FILES = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
RUN_COMMAND_LINE = "import sys; from bench.__main__ import main; sys.argv = ['x', {!r}]; main()"
IMPORT_ALL = """
from bench import RECIPES, Budget, Plan, Recipe, RunSpec, execute
from fmnist_models import build_model, list_models, register
import data_pipeline, results
"""


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_has_more_than_300_lines() -> None:
    lengths = {label(path): path.read_text("utf-8").count("\n") for path in [*FILES, *TESTS]}
    assert {path: length for path, length in lengths.items() if length > 300} == {}


def test_no_folder_has_more_than_14_modules() -> None:
    modules = Counter(path.parent for path in FILES if path.name != "__init__.py")
    wide = {label(folder): count for folder, count in modules.items() if count > 14}
    assert wide == {}


@pytest.mark.parametrize(
    "script",
    [RUN_COMMAND_LINE.format("list"), RUN_COMMAND_LINE.format("--help"), IMPORT_ALL],
    ids=["list", "--help", "import"],
)
def test_nothing_heavy_is_loaded(script: str) -> None:
    code = (
        "import atexit, os, sys\n"
        f"loaded = lambda: [name for name in {HEAVY} if name in sys.modules]\n"
        "atexit.register(lambda: os._exit(9) if loaded() else None)\n" + script
    )
    done = finish(sys.executable, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_command_and_option_has_help() -> None:
    group = typer.main.get_command(app)
    for command in getattr(group, "commands").values():  # noqa: B009
        assert command.help
        assert all(parameter.help for parameter in command.params)


def test_the_public_python_names() -> None:
    from bench import Budget, Recipe, RunSpec, execute
    from data_pipeline import load_fashion_mnist
    from fmnist_models import build_model, list_models, register
    from results import RunRecord, read_records, summarize

    functions = (execute, load_fashion_mnist, build_model, list_models, register)
    assert all(callable(function) for function in (*functions, read_records, summarize))
    assert all(isinstance(kind, type) for kind in (Budget, Recipe, RunSpec, RunRecord))
