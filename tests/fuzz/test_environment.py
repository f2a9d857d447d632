"""Variables of a user's shell: nonsense in them is ignored, or refused in one line."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from results import RunStore
from tests.command_line import Finished, environment, finish
from tests.results.records_by_hand import make_record

ASCII = {"PYTHONIOENCODING": "ascii"}
LANG_C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LONG = "x" * 5_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with seeds, so that its table has a plus-minus sign."""
    folder = tmp_path_factory.mktemp("run")
    for seed, accuracy in enumerate((0.8, 0.9)):
        record = make_record("v0", seed, values={"test_accuracy": accuracy})
        RunStore(folder).append(replace(record, record_id=f"{seed:016x}"))
    return folder


def tell(variables: dict[str, str], *arguments: str | Path) -> Finished:
    """The command among other variables."""
    variables = environment(Path("data")) | variables
    return finish(sys.executable, "-m", "bench", *arguments, env=variables)


def assert_one_refusal(finished: Finished, wanted: str) -> None:
    assert finished.returncode == 2, finished.stderr
    assert finished.stderr.startswith("fmnist-bench: ")
    assert finished.stderr.count("\n") == 1, finished.stderr
    assert wanted in finished.stderr


@pytest.mark.parametrize(
    "variables",
    [
        *(ASCII, {"COLUMNS": "0", "LINES": "abc"}, {"COLUMNS": "999999999", "NO_COLOR": "1"}),
        pytest.param(LANG_C, marks=pytest.mark.slow),
        pytest.param({"COLUMNS": "abc", "TERM": "dumb"}, marks=pytest.mark.slow),
        pytest.param({"COLUMNS": "-7", "TERM": "no such"}, marks=pytest.mark.slow),
        pytest.param({"HOME": "/proc/nowhere", "TMPDIR": "/nowhere"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_table_is_shown_in_any_shell(folder: Path, variables: dict[str, str]) -> None:
    finished = tell(variables, "table", folder)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "v0" in finished.stdout
    is_ascii = variables in (ASCII, LANG_C)
    assert ("±" in finished.stdout) == (not is_ascii)


def test_an_export_with_other_characters_is_refused_not_changed(folder: Path) -> None:
    finished = tell(ASCII, "table", folder, "--format", "markdown")
    assert_one_refusal(finished, "stdout takes ascii only")
    assert finished.stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables",
    [
        *({"OMP_NUM_THREADS": value} for value in ("abc", "0", "-3", "100000")),
        *({"CUDA_VISIBLE_DEVICES": value} for value in ("nonsense", "0,0,99,-1")),
        *({"FMNIST_CACHE": value} for value in ("/dev/null", "/proc/x", LONG)),
        *({"TMPDIR": value} for value in ("/nowhere", "/dev/null")),
        *({"HOME": value} for value in ("/proc/nowhere", "/dev/null", "")),
        *({"CXX": "nonsense"}, ASCII, LANG_C),
    ],
    ids=lambda variables: str(variables)[:60],
)
def test_a_run_ends_well_under_any_variables(tmp_path: Path, variables: dict[str, str]) -> None:
    options = ("--device", "cpu", "--models", "v0", "--budget", "3steps")
    finished = tell(variables, "run", *options, "--out", tmp_path / "run")
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    assert "v0" in finished.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"FMNIST_DATA": "/dev/null"}, "/dev/null is no folder"),
        ({"FMNIST_DATA": "~nobody_here/x"}, "there is no such user here"),
        ({"FMNIST_DATA": LONG}, "File name too long"),
    ],
    ids=["device", "nobody", "long"],
)
def test_a_data_folder_that_cannot_be_is_refused(variables: dict[str, str], wanted: str) -> None:
    assert_one_refusal(tell(variables, "run", "--device", "cpu", "--models", "v0"), wanted)


def test_a_temporary_folder_whose_name_is_too_long_for_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("y" * 120)
    folder.mkdir()
    finished = tell({"TMPDIR": str(folder)}, "run", "--device", "cpu", "--models", "v0")
    assert_one_refusal(finished, "name a short folder with TMPDIR")
