"""The command `report`: where it writes, and what it refuses in one line."""

import shutil
from pathlib import Path

import pytest

from bench.__main__ import run_app
from bench.cli import app

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "results" / "tables" / "cpu-default-3epochs.jsonl"
OTHER_BUDGET = ROOT / "results" / "tables" / "cpu-default-30s.jsonl"


def report(*arguments: object) -> int:
    return run_app(app, ["report", *map(str, arguments)], "fmnist-bench")


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(RECORDS, folder / "records.jsonl")
    return folder


def test_the_page_lies_in_the_run_folder(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(run_folder) == 0
    page = run_folder / "report.html"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert capsys.readouterr().out.startswith(f"{page}  (")


def test_a_file_can_be_named_and_charts_written_beside_it(run_folder: Path, tmp_path: Path) -> None:
    out, figures = tmp_path / "new" / "page.html", tmp_path / "figures"
    assert report(run_folder, "--out", out, "--figures", figures, "--figure-format", "png") == 0
    assert out.exists()
    pictures = list(figures.iterdir())
    assert pictures
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere"], 2, "no records in nowhere"),
        ([RECORDS, "--figure-format", "gif"], 2, "choose from svg, png"),
        ([RECORDS, OTHER_BUDGET, "--out", "x.html"], 4, "pass --mixed"),
        ([RECORDS, "--out", "/proc/nothing/x.html"], 2, "cannot write /proc/nothing/x.html"),
        ([RECORDS, "--out", "/"], 2, "cannot write /"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[object], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(*arguments) == code
    complaints = [line for line in capsys.readouterr().err.splitlines() if "samples" not in line]
    assert len(complaints) == 1
    assert words in complaints[0]


def test_what_is_not_comparable_is_labelled_where_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "mixed.html"
    assert report(RECORDS, OTHER_BUDGET, "--mixed", "--out", out) == 0
    text = out.read_text(encoding="utf-8")
    assert "Not comparable: budget is 3epochs" in text
    assert "v2 (30s" in text
