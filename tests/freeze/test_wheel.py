"""The wheel: complete without the checkout, and nothing but the four packages."""

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

from tests.command_line import CPU, PLAN, REPOSITORY, environment, finish, read_lines

PACKAGES = ("bench", "data_pipeline", "fmnist_models", "results")
DATA_OF_PACKAGES = (".css", ".html", ".js", ".jsonl", ".pt", ".toml")
NOT_SHIPPED = (("results", "runs"), ("results", "tables"))
LIMIT_S = 300.0
WHERE = f"import {', '.join(PACKAGES)}; print(*({', '.join(f'{p}.__file__' for p in PACKAGES)},))"


def run_process(*words: str | Path, cwd: Path, env: dict[str, str]) -> str:
    """What a program says that must end well."""
    finished = finish(*words, cwd=cwd, env=env, timeout=LIMIT_S)
    assert finished.returncode == 0, finished.stderr + finished.stdout
    return finished.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the setuptools that torch brings along, with all that it leaves outside."""
    folder = tmp_path_factory.mktemp("wheel")
    config = folder / "setup.cfg"
    config.write_text(f"[build]\nbuild_base = {folder}\n[egg_info]\negg_base = {folder}\n")
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index")
    env = os.environ | {"DIST_EXTRA_CONFIG": str(config)}
    run_process(*pip, "--wheel-dir", folder / "built", REPOSITORY, cwd=folder, env=env)
    (built,) = (folder / "built").iterdir()
    return built


def shipped(package: str) -> set[str]:
    """The files of a package that a user needs."""
    paths = [path.relative_to(REPOSITORY) for path in (REPOSITORY / package).rglob("*")]
    return {
        path.as_posix()
        for path in paths
        if path.suffix in {".py", *DATA_OF_PACKAGES} and path.parts[:2] not in NOT_SHIPPED
    }


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    """Catches a package or data file left out of pyproject.toml, and tests or runs in the wheel."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = set().union(*map(shipped, PACKAGES))
    assert sorted(wanted - names) == []
    assert sorted(names - wanted) == []


@pytest.mark.slow
def test_an_installed_wheel_trains_and_reports_in_an_empty_folder(
    wheel: Path, data_root: Path, tmp_path: Path
) -> None:
    """Catches code that leans on the checkout: paths counted in parents, data beside the code."""
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    pip = (sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile")
    run_process(*pip, "--target", site, wheel, cwd=empty, env=dict(os.environ))
    env = environment(data_root) | {"PYTHONPATH": str(site)}  # before the editable install

    def bench(*arguments: str | Path) -> str:
        return run_process(site / "bin" / "fmnist-bench", *arguments, cwd=empty, env=env)

    modules = run_process(sys.executable, "-c", WHERE, cwd=empty, env=env).split()
    assert modules == [str(site / package / "__init__.py") for package in PACKAGES]
    table = bench("run", "--models", "v0", "--budget", "20steps", "--save", *CPU, *PLAN)
    assert "v0" in table
    (folder,) = (empty / "results" / "runs").iterdir()
    (record,) = read_lines(folder)
    assert record["status"] == "ok"
    assert record["provenance"]["commit"] is None  # the training knew of no checkout
    assert record["spec"]["recipe"]["learning_rate"] == 0.016  # learning_rates.toml is there
    assert json.loads(bench("table", folder, "--format", "json"))[0]["model"] == "v0"
    bench("report", folder, "--out", empty / "page.html")
    assert "v0" in (empty / "page.html").read_text(encoding="utf-8")
    (saved,) = (folder / "checkpoints").iterdir()
    for model in ("v0", saved):  # its weights come along
        assert "of 10,000 test images wrong" in bench("predict", model, "--mistakes", "1", *CPU)
