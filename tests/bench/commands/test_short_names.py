"""A net of a user's file has one short name in table, lines below and page; json keeps it whole.

Would catch a table that is made of records as they were read, or a name that is cut until two rows
look alike.
"""

import csv
import io
import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from results import RunRecord
from results.report.compose import compose
from results.report.material import gather
from tests.bench.ladder.ladder_by_hand import RUNGS, make_rung
from tests.command_line import Finished
from tests.results.records_by_hand import make_record, make_values

ONE, TWO, THREE = "one/a b/net.py:net", "/abs/two/a b/net.py:net", "one/other.py:Other"
SHORT = ("one/a b/net.py:net", "two/a b/net.py:net", "other.py:Other")
LONG_FILE = "folder/a_file_with_many_long_networks.py"
LONG = [f"{LONG_FILE}:AResidualNetworkOfKind{kind}WithAttention" for kind in range(9)]

Cli = Callable[..., Finished]
Write = Callable[[str, Sequence[RunRecord]], Path]


def run(model: str, accuracy: float = 0.9, seconds: float = 5.0) -> RunRecord:
    curve = [[share * seconds, share, 162_000 * share, accuracy] for share in (0.5, 1.0)]
    values = make_values(accuracy, seconds, 7850, 2**20)
    return make_record(model, values=values, curve=curve, flags=("under_trained",))


def make_records(seconds: float = 5.0) -> list[RunRecord]:
    failed = make_record(THREE, status="crashed", reason="it broke")
    return [run("v0", 0.8), run(ONE, 0.95, seconds), run(TWO, 0.9, seconds), failed]


@pytest.mark.parametrize("line", ["table run", "table run --by commit", "table run --by plan"])
def test_rows_and_the_lines_below_call_a_net_the_same(cli: Cli, write: Write, line: str) -> None:
    write("run", make_records())
    table, _, below = cli(*line.split(), "--notes").stdout.partition("\n\n")
    for name in SHORT:
        assert name in table
    assert f"under_trained (v0, {SHORT[0]}, {SHORT[1]})" in below
    assert "/abs" not in table + below
    assert "one/other" not in table + below
    for fmt in ("markdown", "latex"):
        text = cli(*line.split(), "--format", fmt).stdout.replace(r"\_", "_")
        assert all(name in text for name in SHORT)
        assert "/abs" not in text


def test_programs_get_the_whole_name(cli: Cli, write: Write) -> None:
    write("run", make_records())
    whole = {"v0", ONE, TWO, THREE}
    rows = json.loads(cli("table", "run", "--format", "json").stdout)
    assert {row["model"] for row in rows} == whole
    text = cli("table", "run", "--format", "csv").stdout
    assert {row["model"] for row in csv.DictReader(io.StringIO(text))} == whole
    assert json.loads(cli("choose", "run", "--format", "json").stdout)["recommended"] == ONE


def test_a_refusal_has_the_short_name(cli: Cli, write: Write) -> None:
    write("run", [run("v0"), make_record(TWO, spec={"budget": "60s"})])
    assert "60s for net.py:net;" in cli("table", "run", "--format", "json").stderr


def test_a_choice_has_the_short_name_and_its_command_the_whole_one(cli: Cli, write: Write) -> None:
    write("run", make_records())
    text = cli("choose", "run").stdout
    assert f"recommended: {SHORT[0]}\n" in text
    assert f"runner-up: {SHORT[1]}, " in text
    write("far", [run(TWO, 0.9)])
    text = cli("choose", "far", "--max-seconds", "3").stdout
    (hint,) = [line for line in text.splitlines() if line.startswith("hint: ")]
    assert " net.py:net had 90.00 % on validation" in hint
    command = hint.partition("`")[2].partition("`")[0]
    assert shlex.split(command)[:4] == ["fmnist-bench", "run", "--models", TWO]


def test_a_comparison_has_short_names_and_its_verdict_the_whole_ones(
    cli: Cli, write: Write, tmp_path: Path
) -> None:
    write("base", make_records())
    write("head", make_records(20.0))
    done = cli("compare", "base", "head", "--out", "verdict")
    summary = (tmp_path / "verdict" / "summary.md").read_text("utf-8")
    for text in (
        done.stdout,
        summary,
        cli("compare", "base", "head", "--format", "markdown").stdout,
    ):
        assert "/abs" not in text
        assert all(name in text for name in SHORT)
    verdict = json.loads((tmp_path / "verdict" / "verdict.json").read_text("utf-8"))
    assert {one["model"] for one in verdict["findings"]} == {"v0", ONE, TWO, THREE}


@pytest.mark.parametrize("columns", ["60", "80", "120"])
@pytest.mark.parametrize(
    "line", ["table run", "compare run run", "choose run", "table run --by commit"]
)
def test_nine_nets_of_one_file_have_nine_names(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch, line: str, columns: str
) -> None:
    write("run", [run(name, 0.9 + k / 100, 5.0 + k) for k, name in enumerate(LONG)])
    monkeypatch.setenv("COLUMNS", columns)
    lines = cli(*line.split()).stdout.splitlines()
    rows = [text.split()[0] for text in lines if "…" in text.split(" ")[0]]
    assert len(rows) == len(set(rows)) == 9


def test_a_ladder_and_the_page_have_the_short_name(cli: Cli, write: Write, tmp_path: Path) -> None:
    write("run", make_records())
    write("ladder", [make_rung(rung, model=TWO) for rung in RUNGS])
    text = cli("table", "ladder").stdout
    assert "net.py:net: step is" in text
    assert "\nnet.py:net\n" in text
    assert "two" not in text
    page = compose(gather([tmp_path / "run", tmp_path / "ladder"]), tmp_path / "page.html")
    assert {name for section in page.sections for name in section.names} == {"v0", *SHORT[:2]}
    assert [row[1][0].text for row in page.table.rows] == [*SHORT[:2], "v0", SHORT[2]]
    assert f"{SHORT[1]}: step is" not in str(page.answer)
    assert any(figure.title == SHORT[1] for part in page.sections for figure in part.figures)
    assert "/abs" not in str((page.answer, page.table, page.notes, page.records))
