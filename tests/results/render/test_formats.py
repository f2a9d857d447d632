"""Markdown, csv, json and latex, with names and reasons that would break them."""

import csv
import io
import json
import re
from typing import Any

import pytest

from results import ResultsError, summarize, table_rows
from results.render.formats import FORMATS, export
from results.rows.rows import ROW_KEYS
from tests.results.records_by_hand import make_record, make_sweep, make_values

NASTY = 'a|b\\|c `x` *y* __init__ <b> 5 % & $z #1, "q"\nsecond {line} ~^'


def rows_with() -> list[dict[str, Any]]:
    good = make_record("v0", values=make_values(0.9, 1, 7_850, 2**20))
    bad = make_record("my_net|.py", status="crashed", reason=NASTY)
    return table_rows(summarize([good, bad]))


def test_json_is_one_array_of_the_rows() -> None:
    rows = table_rows(summarize(make_sweep()))
    assert json.loads(export(rows, "json")) == rows


def test_csv_holds_the_raw_keys_and_reads_back() -> None:
    rows = rows_with()
    table = list(csv.DictReader(io.StringIO(export(rows, "csv"))))
    assert list(table[0]) == list(ROW_KEYS)
    assert table[1]["reason"] == NASTY
    assert table[1]["model"] == "my_net|.py"
    assert table[1]["test_accuracy"] == ""
    assert table[0]["num_params"] == "7850"  # not 7850.0
    assert json.loads(table[0]["record_ids"]) == rows[0]["record_ids"]


def test_markdown_keeps_every_row_in_its_cells_and_marks_the_best_in_bold() -> None:
    lines = export(rows_with(), "markdown").splitlines()
    assert len(lines) == 4
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1  # cells
    assert r"my_net\|.py" in lines[3]
    expected = r"a\|b\\\|c \`x\` \*y\* \_\_init\_\_ &lt;b> 5 % & $z #1"
    assert f"crashed: {expected}" in lines[3]
    assert "**94.15 ± 0.23**" in export(table_rows(summarize(make_sweep())), "markdown")


def test_latex_escapes_what_is_special_and_is_ascii() -> None:
    text = export(rows_with(), "latex")
    assert r"my\_net|.py" in text
    assert r"\_\_init\_\_ \ensuremath{<}b\ensuremath{>} 5 \% \& \$z \#1" in text
    assert r"second \{line\} \textasciitilde{}\^{}" in text
    assert len(text.splitlines()) == 8
    text = export(table_rows(summarize(make_sweep())), "latex")
    assert r"94.15 $\pm$ 0.23*" in text
    assert text.isascii()


@pytest.mark.parametrize("fmt", list(FORMATS))
def test_no_rows_are_a_table_of_no_rows(fmt: str) -> None:
    text = export([], fmt)
    assert text.endswith("\n")
    assert "v0" not in text
    if fmt == "json":
        assert json.loads(text) == []
    if fmt == "csv":
        assert text.strip().split(",") == list(ROW_KEYS)


@pytest.mark.parametrize("fmt", list(FORMATS))
def test_by_commit_shows_the_commit(fmt: str) -> None:
    records = [make_record(values=make_values(0.9, 1, 9, 9), commit="a" * 40)]
    assert "a" * 10 in export(table_rows(summarize(records, by="commit")), fmt, by="commit")


def test_an_unknown_format_names_the_choices() -> None:
    with pytest.raises(ResultsError, match="'xml'; choose from rich, markdown, csv, json, latex"):
        export([], "xml")
