"""A verdict as Markdown: golden text, short, and nothing from outside is more than text."""

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from results.gate.markdown import BREAK, escaped, item, summary_markdown
from results.gate.verdict import Commit
from results.text import one_line
from tests.golden_text import assert_golden
from tests.results.gate.verdicts_by_hand import (
    COMMAND,
    GOOD,
    HOSTILE,
    HOSTILE_TEXTS,
    MANY,
    VERDICTS,
    finding,
    make_verdict,
    speed,
)

OUR_TAGS = {
    *("p", "strong", "table", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary", "ul", "li", "pre", "code"),
}


class Reader(HTMLParser):
    """Tags, attributes, text, and how many cells each row of a table has.

    Reads Markdown as GitHub would render it, links apart: those were looked at with cmark-gfm.
    """

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.cells: list[int] = []
        self.text = ""
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Of a tag that opens."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "tr":
            self.cells.append(0)
        if tag in {"th", "td"}:
            self.cells[-1] += 1

    def handle_data(self, data: str) -> None:
        """Of text between tags."""
        self.text += data


@pytest.mark.parametrize("name", ["regression", "good", "unusable"])
def test_markdown_reads_as_it_should(name: str) -> None:
    assert_golden(f"gate_{name}.md", summary_markdown(VERDICTS[name]))


@pytest.mark.parametrize("name", VERDICTS)
def test_no_markup_from_outside_gets_in_and_it_is_far_below_what_github_takes(name: str) -> None:
    text = summary_markdown(VERDICTS[name])
    reader = Reader(text)
    assert reader.tags <= OUR_TAGS
    assert reader.attributes <= {"style", "class"}  # of aligned cells, of the block of code
    assert len(text) <= 20_000


def test_hostile_tables_keep_their_cells_and_their_text() -> None:
    reader = Reader(summary_markdown(HOSTILE))
    assert len(reader.cells) > 2 * 12
    assert set(reader.cells) == {4}  # outcome, model, what, how sure
    text = reader.text.replace(BREAK, "")
    assert [one for one in HOSTILE_TEXTS if one_line(one) not in text] == []
    assert "\x1b" not in text


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_an_item_of_a_list_is_a_line_of_text(text: str) -> None:
    reader = Reader(item(text))
    assert reader.tags == {"ul", "li"}
    assert reader.text.replace(BREAK, "").strip() == one_line(text)


def test_mentions_and_links_are_parted() -> None:
    text = escaped("@octocat https://evil.example WWW.evil.example")
    assert not [part for part in ("@o", "://", "WWW.") if part in text]


def test_the_worst_that_escaping_can_do_fits_as_well() -> None:
    text = "&" * 5_000
    findings = [
        finding("run", f"{n}{text}", text, outcome, evidence=text)
        for n in range(40)
        for outcome in ("worse", "unclear", "unusable", "changed", "skipped")
    ]
    commit = Commit(text, "0" * 40, text)
    verdict = make_verdict(
        [*findings, speed(text, "same", 0.01)],
        base=commit,
        head=commit,
        command="x" * 1_500,
        notes=[text] * 40,
        environment=dict.fromkeys(("device", "num_cores", "torch", "cuda"), text),
    )
    assert len(summary_markdown(verdict)) <= 20_000


def test_what_is_left_out_is_counted() -> None:
    text = summary_markdown(MANY)
    open_rows = text.partition("<details>")[0].count("| worse")
    folded_rows = text.count("| worse") - open_rows
    assert open_rows == 12
    assert f"<summary>{300 - 12} more</summary>" in text
    assert f"\n{300 - 12 - folded_rows} more left out: verdict.json has them all.\n" in text
    assert "<summary>All 300 rows</summary>" in text
    assert text.count("more left out") == 4  # worse, models, changed on purpose, notes


def test_the_command_is_a_block_of_its_own_and_never_a_part() -> None:
    assert f"\n```sh\n{COMMAND}\n```\n" in summary_markdown(GOOD)
    ticks = summary_markdown(make_verdict([], command="gate --models '```'"))
    assert "\n````sh\ngate --models '```'\n````\n" in ticks
    long = summary_markdown(make_verdict([], command="x" * 2_000))
    assert "x" * 80 not in long
    assert "verdict.json has it" in long
    assert "repeat" not in summary_markdown(make_verdict([], command=""))


def test_an_outcome_stands_where_there_is_no_change() -> None:
    lost = finding("speed", "v2", "seconds a step", "unusable")
    text = summary_markdown(make_verdict([lost, speed("v0", "same", 0.01)]))
    assert "\n| v2      |      unusable |" in text
