"""Names and reasons are shown as they are, by every command that shows records, in every format.

One name and one reason hold what rich, Markdown, GitHub, HTML, Vega and a terminal would each make
something else of.
"""

import csv
import html
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from rich.table import Table

from bench.shell import print_rich, say
from bench.sweep.progress import ProgressBars, describe_record
from results import RunRecord
from results.report.compose import compose, picture
from results.report.material import gather
from results.report.page import render_page
from tests.bench.ladder.ladder_by_hand import RUNGS, make_rung
from tests.bench.sweep.test_progress import Terminal
from tests.command_line import REPOSITORY, Finished
from tests.results.records_by_hand import make_record, make_values

NAME = "x/[red]:locked:|<b>*_`$1$\u202e\u200b.py:Net"
SHOWN = r"[red]:locked:|<b>*_`$1$\u202e\u200b.py:Net"
REASON = "it \x1b[31mbroke\x1b[0m :fire: [bold]a|b[/bold]\n<i>c</i>\t~d~ \u202e\x9b1m &lt;"
SAID = r"it broke :fire: [bold]a|b[/bold] <i>c</i> ~d~ \u202e\u009b1m &lt;"
PARTING = "\u200b"  # GitHub makes no emoji and no mention of what it parts
COLOURS = re.compile(r"\x1b\[[\d;]*m")
COMMANDS = (  # each names the net, and tells why a run failed
    *("table run", "table run --by commit", "table run --by plan", "table ladder"),
    *("choose run", "choose run --max-seconds 1", "compare run slower", "compare slower run"),
)
MARKDOWN = ("table run", "table run --by plan", "table ladder", "compare run slower")

Cli = Callable[..., Finished]


def make_records(seconds: float = 5.0) -> list[RunRecord]:
    """A net that ends well with one seed and fails with another, a plain one, one that fails."""
    values = make_values(0.9, seconds, 7850, 2**20)
    curve = [[seconds, 1.0, 162_000, 0.8]]
    return [
        make_record(NAME, values=values, flags=("under_trained",), curve=curve),
        make_record(NAME, 1, status="crashed", reason=REASON),
        make_record("v0", values=make_values(0.8, 2.0, 7850, 2**20), curve=curve),
        make_record("v1", status="crashed", reason=REASON),
    ]


def make_ladder() -> list[RunRecord]:
    failed: dict[str, Any] = {"status": "crashed", "reason": REASON, "measurements": {}}
    return [make_rung(rung, model=NAME, **(failed if rung == "auto" else {})) for rung in RUNGS]


@pytest.fixture
def shown(cli: Cli, write: Callable[..., Path]) -> Callable[[str], str]:
    """Gives the stdout of a command on folders of such records."""
    write("run", make_records())
    write("slower", make_records(9.0))
    write("ladder", make_ladder())
    return lambda line: str(cli(*line.split()).stdout)


def assert_plain(text: str) -> None:
    odd = {char for char in text if not char.isprintable() and char != "\n"}
    assert not odd, (odd, text)


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize("line", COMMANDS)
def test_a_table_for_a_person(
    shown: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, line: str, is_terminal: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    monkeypatch.setenv("COLUMNS", "400")
    text = COLOURS.sub("", shown(f"{line} --notes"))
    assert_plain(text)
    assert SHOWN in text
    assert NAME not in text
    assert SAID in text


@pytest.mark.parametrize("line", MARKDOWN)
def test_markdown_as_github_renders_it(shown: Callable[[str], str], line: str) -> None:
    page = (
        MarkdownIt("commonmark")
        .enable(["table", "strikethrough"])
        .render(shown(f"{line} --format markdown"))
    )
    rendered = html.unescape(re.sub("<[^>]*>", "", page))
    assert SHOWN in rendered.replace(PARTING, "")
    assert ":locked:" not in rendered  # an emoji of GitHub's
    assert SAID in rendered.replace(PARTING, "")
    for table in page.split("<thead>")[1:]:
        assert len({len(re.findall("<t[hd]", row)) for row in table.split("<tr>")[1:]}) == 1


def test_programs_read_the_name_that_the_record_has(shown: Callable[[str], str]) -> None:
    for line in ("table run", "table ladder", "choose run", "compare run slower"):
        text = shown(f"{line} --format json")
        assert_plain(text)
        assert json.dumps(NAME) in text
        assert NAME in json.dumps(json.loads(text), ensure_ascii=False)
    text = shown("table run --format csv")
    assert_plain(text)
    names = {row["model"] for row in csv.DictReader(io.StringIO(text))}
    assert names == {f"x/{SHOWN}", "v0", "v1"}


def test_latex_has_no_command_of_a_name(shown: Callable[[str], str]) -> None:
    text = shown("table run --format latex")
    assert_plain(text)
    assert r"[red]:locked:|\ensuremath{<}b\ensuremath{>}*\_" in text


def test_the_page_and_its_charts(shown: Callable[[str], str], tmp_path: Path) -> None:
    material = gather([tmp_path / "run", tmp_path / "ladder"])
    page = compose(material, tmp_path / "report.html")
    text = render_page(page, "let x;")
    assert_plain(text)
    said = html.unescape(re.sub("<[^>]*>", "", text))
    assert SHOWN in said
    assert SAID in said
    figures = {figure.key: (figure, part) for part in page.sections for figure in part.figures}
    assert {"cost-train-s", "ladder-1"} <= set(figures)
    for figure, part in (figures["cost-train-s"], figures["ladder-1"]):
        drawn = html.unescape(picture(figure, part, "svg").decode())
        assert SHOWN in drawn
        assert "\u202e" not in drawn


def test_lines_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "400")
    say(f"reading {NAME}")
    with ProgressBars("models", total=2, is_quiet=True) as bars:
        bars.show(f"{NAME} · :locked:", 0.5, REASON)
        bars.done(describe_record(make_records()[1], NAME))
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", terminal.getvalue()).replace("\r", "")
    assert_plain(text)
    assert f"reading x/{SHOWN}\n" in text
    assert f"x/{SHOWN} · :locked:" in text
    assert f"x/{SHOWN} · seed 1: crashed: it " in text


def test_a_refusal_names_a_folder_as_it_is(cli: Cli, tmp_path: Path) -> None:
    done = cli("table", tmp_path / "[red]:locked:\u202e")
    assert (done.returncode, done.stdout) == (2, "")
    assert r"[red]:locked:\u202e" in done.stderr


def test_a_table_of_bare_names_is_plain_too(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(NAME)
    table.add_row(NAME)
    print_rich(table, [NAME], above=[NAME], again=NAME)
    text = capsys.readouterr().out
    assert_plain(text)
    assert text.count(f"x/{SHOWN}") == 5


def test_there_is_one_kind_of_console() -> None:
    """A console of rich's own would read markup and emoji out of the next table."""
    found = [
        path.name
        for package in ("bench", "results", "data_pipeline", "fmnist_models")
        for path in (REPOSITORY / package).rglob("*.py")
        if re.search(
            r"import .*\bConsole\b|rich\.markup|from_markup|rich import print",
            path.read_text("utf-8"),
        )
    ]
    assert set(found) == {"shell.py"}
