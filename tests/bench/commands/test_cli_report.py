"""The command `report`: where it writes; tests/freeze holds what it refuses."""

from pathlib import Path

import pytest
from PIL import Image

import results.report.page
from bench.cli import app
from bench.shell import run_app
from tests.results.records_by_hand import make_record

ROOT = Path(__file__).parents[3]
RECORDS = ROOT / "results" / "tables" / "cpu-default-3epochs.jsonl"
OTHER_BUDGET = ROOT / "results" / "tables" / "cpu-default-30s.jsonl"


def report(*arguments: object) -> int:
    return run_app(app, ["report", *map(str, arguments)], "fmnist-bench")


def only_v2(records: Path, folder: Path) -> Path:
    """A run folder with the record of one model, which has few charts to draw."""
    folder.mkdir()
    line = next(line for line in records.read_bytes().splitlines() if b'"model":"v2"' in line)
    (folder / "records.jsonl").write_bytes(line + b"\n")
    return folder


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    return only_v2(RECORDS, tmp_path / "run")


def test_the_page_lies_in_the_run_folder(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(run_folder) == 0
    page = run_folder / "report.html"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert capsys.readouterr().out.startswith(f"{page}  (")


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"script": 1}', b'{"scr'])
def test_the_script_of_the_charts_is_made_once(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("FMNIST_CACHE", str(tmp_path / "cache"))
    made = []

    def make() -> str:
        made.append("let x;")
        return made[-1]

    monkeypatch.setattr(results.report.page, "chart_libraries", make)
    for _ in range(2):
        assert report(run_folder) == 0
        assert "<script>let x;</script>" in (run_folder / "report.html").read_text("utf-8")
    assert len(made) == 1
    (cached,) = (tmp_path / "cache" / "charts").iterdir()
    cached.write_bytes(content)  # a file that is no script costs a second making
    assert report(run_folder) == 0
    assert len(made) == 2


@pytest.mark.slow
def test_a_file_can_be_named_and_charts_written_beside_it(run_folder: Path, tmp_path: Path) -> None:
    out, figures = tmp_path / "new" / "page.html", tmp_path / "figures"
    assert report(run_folder, "--out", out, "--figures", figures, "--figure-format", "png") == 0
    assert out.exists()
    pictures = list(figures.iterdir())
    assert pictures
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    with Image.open(figures / "confusion-matrix.png") as picture:
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)  # readable anywhere


@pytest.mark.parametrize("out", ["/proc/nothing/x.html", "/"])
def test_a_page_that_cannot_be_written_is_one_line(
    out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = tmp_path / "failed.jsonl"  # without numbers there is nothing to draw
    failed.write_bytes(make_record("v0", status="crashed").to_json_line())
    assert report(failed, "--out", out) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"cannot write {out}" in line


@pytest.mark.slow
def test_what_is_not_comparable_is_labelled_where_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "mixed.html"
    few = [only_v2(RECORDS, tmp_path / "one"), only_v2(OTHER_BUDGET, tmp_path / "other")]
    assert report(*few, "--mixed", "--out", out) == 0
    text = out.read_text(encoding="utf-8")
    assert "Not comparable: budget is 30s" in text
    assert "v2 (30s" in text
