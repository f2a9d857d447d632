"""What a gate leaves behind: files that are whole, the summary of a step, annotations."""

import json
from pathlib import Path

import pytest

from results.errors import ResultsError
from results.gate.files import annotation, annotations, append_step_summary, write_verdict
from results.gate.markdown import summary_markdown
from results.gate.verdict import Verdict
from tests.results.gate.verdicts_by_hand import (
    GOOD,
    HOSTILE,
    NONE,
    REGRESSION,
    finding,
    make_verdict,
    speed,
)


@pytest.mark.parametrize("verdict", [REGRESSION, GOOD, NONE])
def test_both_files_hold_the_verdict(verdict: Verdict, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    write_verdict(verdict, folder)
    written = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(verdict.as_plain()))
    assert (folder / "summary.md").read_text(encoding="utf-8") == summary_markdown(verdict)


def test_files_are_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_verdict(GOOD, tmp_path)
    write_verdict(REGRESSION, tmp_path)
    head = {"schema_version": 1, "verdict": "regression", "exit_code": 1}
    content = json.loads((tmp_path / "verdict.json").read_bytes())
    assert list(content.items())[:3] == list(head.items())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["summary.md", "verdict.json"]


def test_no_json_that_is_none_is_written(tmp_path: Path) -> None:
    measured = {"pairs": (float("nan"), float("-inf"), 1.5), "by": {3: "\udcff"}}
    write_verdict(make_verdict(HOSTILE.findings, measured=measured), tmp_path)

    def refuse(word: str) -> None:
        raise AssertionError(word)

    text = (tmp_path / "verdict.json").read_bytes()
    content = json.loads(text, parse_constant=refuse)
    assert content["measured"] == {"pairs": [None, None, 1.5], "by": {"3": "?"}}
    assert content["findings"][0]["base"] is None


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match=r"^cannot write to .*file/out: Not a directory$"):
        write_verdict(GOOD, tmp_path / "file" / "out")


def test_a_write_that_fails_leaves_the_former_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_verdict(REGRESSION, tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("results.records.appending.os.fsync", full)
    with pytest.raises(ResultsError, match="No space left on device"):
        write_verdict(GOOD, tmp_path)
    assert json.loads((tmp_path / "verdict.json").read_bytes())["exit_code"] == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_the_summary_of_a_step_grows(tmp_path: Path) -> None:
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    assert append_step_summary("**one**: é\n", environ) is None
    assert append_step_summary("two", environ) is None
    assert (tmp_path / "summary").read_text(encoding="utf-8") == "**one**: é\ntwo\n"
    assert append_step_summary("elsewhere", {}) is None
    assert append_step_summary("elsewhere", {"GITHUB_STEP_SUMMARY": ""}) is None


@pytest.mark.parametrize("name", ["", "no/such/folder/file", "a\0b"])
def test_a_bad_path_is_a_warning_and_no_failure(name: str, tmp_path: Path) -> None:
    warning = append_step_summary("text", {"GITHUB_STEP_SUMMARY": f"{tmp_path}/{name}"})
    assert warning is not None
    assert warning.startswith("warning: no summary for GitHub: ")
    assert "\n" not in warning


def test_annotations_name_what_is_in_trouble() -> None:
    lines = annotations(REGRESSION)
    assert lines[0] == (
        "::error title=gate%2C worse%3A v2 is 14.8 %25 slower a step::v2, seconds a step: "
        "from 10.0 ms to 11.5 ms (+14.8 %25), 9 of 10 pairs, control +0.4 %25"
    )
    assert [line.split(" ")[0] for line in lines] == [*["::error"] * 6, "::warning"]
    assert "unusable%3A my_net%2C a training step::" in lines[5]
    assert "unclear%3A resnet8%2C seconds a step::" in lines[6]


def test_a_good_verdict_needs_no_annotation_but_none_at_all_does() -> None:
    assert annotations(GOOD) == []
    assert annotations(NONE) == ["::error title=gate::Nothing to compare: no check was made"]


def test_annotations_cannot_be_broken_out_of() -> None:
    evidence = "100%\r\n::error::fake, really: 5 %0A"
    assert annotations(make_verdict([finding("run", "a:b,c\n::x", "q", evidence=evidence)])) == [
        "::error title=gate%2C worse%3A a%3Ab%2Cc %3A%3Ax%2C q%3A 100%25 "
        "%3A%3Aerror%3A%3Afake%2C really%3A 5 %250A::"
        "a:b,c ::x, q: 100%25 ::error::fake, really: 5 %250A"
    ]
    assert all(
        line.startswith(("::error title=", "::warning title=")) and line.isprintable()
        for line in annotations(HOSTILE)
    )


@pytest.mark.parametrize(("number", "left_out"), [(10, None), (11, "2"), (25, "16")])
def test_annotations_beyond_ten_are_counted(number: int, left_out: str | None) -> None:
    worse = [speed(f"v{n}", "worse", 0.02) for n in range(number)]
    lines = annotations(make_verdict([*worse, *(speed(f"u{n}", "unclear", 1) for n in range(3))]))
    assert [line.split(" ")[0] for line in lines] == [*["::error"] * 10, *["::warning"] * 3]
    rest = f"::error title=gate::{left_out} more; verdict.json has them all"
    assert (lines[9] == rest) == (left_out is not None)


def test_whatever_is_told_github_it_is_one_command() -> None:
    line = annotation("warning", "a: b,\n::error::x", "50 %\r\n::error::y \x1b[31m")
    assert line == "::warning title=a%3A b%2C %3A%3Aerror%3A%3Ax::50 %25 ::error::y"
