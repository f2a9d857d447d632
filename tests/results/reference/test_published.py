"""Published tables: each still follows from the records beside it."""

from pathlib import Path

import pytest

from results import read_records, summarize, table_rows
from results.reference.table import export_published
from results.render.formats import export
from tests.command_line import REPOSITORY

FOLDER = REPOSITORY / "results" / "tables"
TABLES = sorted([*FOLDER.glob("cpu-*.jsonl"), *FOLDER.glob("published-*.jsonl")])


def test_tables_of_both_kinds_are_published() -> None:
    kinds = [path.stem.partition("-")[0] for path in TABLES]
    assert kinds.count("cpu") >= 3
    assert "published" in kinds


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_published_table_follows_from_its_records_of_one_clean_commit(path: Path) -> None:
    records = read_records(path)
    assert len({record.provenance["commit"] for record in records}) == 1
    assert {record.provenance["dirty"] for record in records} == {False}
    if path.stem.startswith("published"):
        table = export_published(records, "markdown")
    else:
        table = export(table_rows(summarize(records)), "markdown")
    assert table in path.with_suffix(".md").read_text(encoding="utf-8")
