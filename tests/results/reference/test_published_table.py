"""The table of published numbers and ours, from hand-made records."""

import csv
import io
import json
from typing import Any

import pytest

from bench.commands.table import show
from results import NotComparable, ResultsError, RunRecord
from results.reference.footer import published_footer_lines
from results.reference.replication import is_published
from results.reference.rows import PUBLISHED_KEYS, published_rows
from results.reference.table import (
    export_published,
    hidden_columns_line,
    published_columns,
    render_published,
)
from tests.bench.ladder.ladder_by_hand import make_rung
from tests.golden_text import assert_golden, shown
from tests.results.records_by_hand import make_record
from tests.results.reference.published_by_hand import all_systems, footer, make_run


def drawn(records: list[RunRecord], width: int) -> str:
    rows = published_rows(records)
    return shown(render_published(rows, width=width, title="Published"), width=width)


def test_rows_have_the_promised_keys_in_the_order_of_the_systems() -> None:
    rows = published_rows(reversed(all_systems()))
    assert {tuple(row) for row in rows} == {PUBLISHED_KEYS}
    assert [(row["system"], row["protocol"]) for row in rows] == [
        ("R0 ResNet-4", "clean"),
        ("R0 ResNet-4 dropout", "clean"),
        ("R1 ResNet-50", "clean"),
        ("R2 ResNet-8", "clean"),
        ("R2 ResNet-8", "as published"),
        ("R2 ResNet-18", "clean"),
        ("R3 ResNet-18", "as published"),
        ("R4 V1", "clean"),
        ("R4 V1", "as published"),
        ("V1 fixed (ours)", "full train"),
        ("R4 V2", "as published"),
    ]


def test_other_records_and_ladders_are_no_reference_systems() -> None:
    rung = make_rung("step", model="v2", spec={"recipe": {"name": "classic"}})
    found = [is_published(record) for record in (make_record("v0"), rung, make_run())]
    assert found == [False, False, True]
    assert published_rows([rung]) == []
    assert published_footer_lines([rung]) == []


def test_the_table_and_the_lines_below_look_as_they_should() -> None:
    for width in (80, 100, 120, 200):
        assert_golden(f"published_{width}.txt", drawn(all_systems(), width))
    assert_golden("published_footer.txt", footer(*all_systems()))


def test_nothing_is_squeezed_and_nothing_wraps() -> None:
    for width in (40, 60, 100, 140, 180, 220):
        lines = drawn(all_systems(), width).splitlines()
        assert max(map(len, lines)) <= width
        assert len(lines) == 3 + 11, width


def test_a_protocol_that_all_rows_share_stands_in_the_title() -> None:
    title, header, *_ = drawn([make_run(), make_run("resnet18", "r2_resnet18")], 80).splitlines()
    assert title == "Published, protocol clean"
    assert "protocol" not in header
    assert "clean" in export_published([make_run()], "markdown").partition("- each row")[0]


def test_what_has_no_room_is_named() -> None:
    rows = published_rows(all_systems())
    for width in (40, 80, 120, 300):
        _, header, *_ = drawn(all_systems(), width).splitlines()
        named = hidden_columns_line(rows, width) or ""
        for column in published_columns(rows):
            assert (column.header in header) != (f"{column.header}," in named.replace(";", ","))
        assert bool(named) == (width < 300)
        assert "--format markdown" in named or not named


def test_an_empty_table_says_so() -> None:
    assert drawn([], 80) == "Published\nno records\n"


def test_json_and_csv_hold_raw_values() -> None:
    rows = published_rows(all_systems())
    assert json.loads(export_published(all_systems(), "json")) == rows
    table = list(csv.DictReader(io.StringIO(export_published(all_systems(), "csv"))))
    assert list(table[0]) == list(PUBLISHED_KEYS)
    assert [row["published_accuracy"] for row in table[:3]] == ["0.921", "0.9023", ""]
    assert export_published([], "csv").strip() == ",".join(PUBLISHED_KEYS)


def test_latex_and_markdown_hold_the_lines_below() -> None:
    _, _, below = export_published(all_systems(), "latex").partition(r"\end{tabular}")
    lines = published_footer_lines(all_systems())
    assert below.strip().splitlines() == [f"% {line}" for line in lines]
    markdown = export_published(all_systems(), "markdown")
    assert markdown.count("\n- 1 (R0 ResNet-4, R0 ResNet-4 dropout): ") == 1


def test_the_command_needs_no_comparable_rows_and_says_what_it_leaves_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(NotComparable):
        show(all_systems())
    show(all_systems(), by="published")
    captured = capsys.readouterr()
    assert captured.out.startswith("Fashion-MNIST: published numbers and ours\n")
    assert captured.err.startswith("1 record left out: ")
    show(all_systems(), by="published", fmt="json")
    assert len(json.loads(capsys.readouterr().out)) == 11


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"by": "published", "sort": "epochs"}, "leave --sort out"),
        ({"by": "published", "fmt": "xml"}, "choose from rich, markdown"),
        ({"by": "nope"}, "model, commit, plan, published"),
    ],
)
def test_the_command_refuses_what_has_no_sense(options: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ResultsError, match=wanted):
        show(all_systems(), **options)


def test_without_a_reference_system_the_command_says_how_to_run_one() -> None:
    with pytest.raises(ResultsError, match="run --recipe published"):
        show([make_record("v0")], by="published")
